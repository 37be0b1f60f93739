"""`python -m bench`: every measure in turn; `python -m bench issuance command_line`: those."""

import sys
from importlib import import_module

MEASURES = ("command_line", "issuance", "enrol_throughput", "reissue", "gateway_ratio", "revocation_latency")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        print(f"no such measure: {', '.join(unknown)}; there are: {', '.join(MEASURES)}", file=sys.stderr)
        return 2
    for name in names or MEASURES:
        print(f"\n== {name}", flush=True)
        import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
