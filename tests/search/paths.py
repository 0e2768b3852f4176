from pathlib import Path

CAPTIONS = Path(__file__).parents[2] / "benchmarks" / "captions.txt"
HELD_OUT = CAPTIONS.with_name("held_out.txt")
