"""The controller of a run: rules, what they watch, decisions, and the same rules at other times."""

from nucleate.train.control.arms import fixed, shamed, yoked
from nucleate.train.control.controller import Controller
from nucleate.train.control.rules import Condition, Rule

__all__ = ["Condition", "Controller", "Rule", "fixed", "shamed", "yoked"]
