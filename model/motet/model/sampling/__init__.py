"""Which token comes next: what the grammar allows, and the draw among it."""
