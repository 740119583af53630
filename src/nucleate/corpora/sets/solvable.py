"""Which BLiMP paradigms a 5-gram model solves: what it solves is no sign of syntax.

Accuracies of the 5-gram model of Warstadt et al. 2020 (counted in English Gigaword), as published
beside BLiMP in ``raw_results/summary/models_summary.jsonl``; their mean over the 67 paradigms is
0.612.
"""

from __future__ import annotations

SOLVABLE = 0.6
"""An n-gram model that is right more often than this has solved a paradigm, if only in part."""

FIVE_GRAM: dict[str, float] = {
    "adjunct_island": 0.479,
    "anaphor_gender_agreement": 0.439,
    "anaphor_number_agreement": 0.519,
    "animate_subject_passive": 0.703,
    "animate_subject_trans": 0.907,
    "causative": 0.535,
    "complex_NP_island": 0.497,
    "coordinate_structure_constraint_complex_left_branch": 0.320,
    "coordinate_structure_constraint_object_extraction": 0.593,
    "determiner_noun_agreement_1": 0.883,
    "determiner_noun_agreement_2": 0.863,
    "determiner_noun_agreement_irregular_1": 0.854,
    "determiner_noun_agreement_irregular_2": 0.904,
    "determiner_noun_agreement_with_adj_2": 0.497,
    "determiner_noun_agreement_with_adj_irregular_1": 0.530,
    "determiner_noun_agreement_with_adj_irregular_2": 0.554,
    "determiner_noun_agreement_with_adjective_1": 0.519,
    "distractor_agreement_relational_noun": 0.235,
    "distractor_agreement_relative_clause": 0.217,
    "drop_argument": 0.716,
    "ellipsis_n_bar_1": 0.234,
    "ellipsis_n_bar_2": 0.504,
    "existential_there_object_raising": 0.835,
    "existential_there_quantifiers_1": 0.905,
    "existential_there_quantifiers_2": 0.623,
    "existential_there_subject_raising": 0.774,
    "expletive_it_object_raising": 0.715,
    "inchoative": 0.509,
    "intransitive": 0.678,
    "irregular_past_participle_adjectives": 0.794,
    "irregular_past_participle_verbs": 0.796,
    "irregular_plural_subject_verb_agreement_1": 0.726,
    "irregular_plural_subject_verb_agreement_2": 0.876,
    "left_branch_island_echo_question": 0.958,
    "left_branch_island_simple_question": 0.565,
    "matrix_question_npi_licensor_present": 0.012,
    "npi_present_1": 0.468,
    "npi_present_2": 0.469,
    "only_npi_licensor_present": 0.566,
    "only_npi_scope": 0.298,
    "passive_1": 0.892,
    "passive_2": 0.822,
    "principle_A_c_command": 0.578,
    "principle_A_case_1": 1.000,
    "principle_A_case_2": 0.489,
    "principle_A_domain_1": 0.952,
    "principle_A_domain_2": 0.564,
    "principle_A_domain_3": 0.522,
    "principle_A_reconstruction": 0.404,
    "regular_plural_subject_verb_agreement_1": 0.755,
    "regular_plural_subject_verb_agreement_2": 0.809,
    "sentential_negation_npi_licensor_present": 0.927,
    "sentential_negation_npi_scope": 0.447,
    "sentential_subject_island": 0.605,
    "superlative_quantifiers_1": 0.447,
    "superlative_quantifiers_2": 0.165,
    "tough_vs_raising_1": 0.326,
    "tough_vs_raising_2": 0.774,
    "transitive": 0.708,
    "wh_island": 0.562,
    "wh_questions_object_gap": 0.527,
    "wh_questions_subject_gap": 0.820,
    "wh_questions_subject_gap_long_distance": 0.856,
    "wh_vs_that_no_gap": 0.825,
    "wh_vs_that_no_gap_long_distance": 0.810,
    "wh_vs_that_with_gap": 0.176,
    "wh_vs_that_with_gap_long_distance": 0.200,
}

ATTRACTOR = ("distractor_agreement_relational_noun", "distractor_agreement_relative_clause")
"""Paradigms in which a noun of the other number stands between subject and verb."""
