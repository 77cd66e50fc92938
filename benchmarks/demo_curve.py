"""The learning curve of the demo, as its report draws it: the image in the README.

python benchmarks/demo_curve.py
"""

from common import RESULTS

import stepforward as sf


def main():
    """Run the demo and write `benchmarks/results/demo_curve.svg`."""
    figure = sf.demo().plot()
    figure.savefig(RESULTS / "demo_curve.svg", format="svg", facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    main()
