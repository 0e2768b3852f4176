"""Does searching pay? Strategies by budgets by captions by seeds, beside a judge that no search has ever seen."""
