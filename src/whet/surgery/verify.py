"""Proof that surgery changed what it says and nothing else.

Three runs on one sample, with the same random numbers:

    A   the model as it is: every torch call's inputs and outputs, bit by bit
    B   a copy in which each changed place holds its old function again, put there by surgery: the same calls, to the bit
    C   the changed model, in which each new function's answer is exchanged for the one that its place gave in B

A = B shows that the cutting itself changes nothing. In C every other operation then has to receive the very inputs that
it had in A, and to give the very outputs: a weight that differs, a layer that was lost, a function that was put at the
wrong place shows at the first call that it reaches.
"""

from __future__ import annotations
