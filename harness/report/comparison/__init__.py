"""One side against another: pairs, differences, what else is different."""
