"""Layer 4, diagnosis: rules read records and say what is wrong. A rule is a pure function, tested on stored records."""
