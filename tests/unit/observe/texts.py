"""Short held-out documents that a small tokenizer and suite are made from."""

TEXTS = [
    f"Anna and Tom went to town {n}. Anna bought {n} apples. Tom saw a dog. Then it rained. "
    f"Tom ran to Anna. They found the road {n} again. It was late. Anna laughed at Tom."
    for n in range(60)
]
