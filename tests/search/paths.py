from pathlib import Path

CAPTIONS = Path(__file__).parents[2] / "benchmarks" / "captions.txt"
