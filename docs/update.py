"""Write the results that README.md quotes: what the demo prints, and what is known of the shipped model.

python docs/update.py        (make demo's environment; runs the demo)
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from foretell.targets.tiny import facts

README = Path(__file__).parents[1] / "README.md"


def put(text: str, name: str, block: str) -> str:
    """Replace what stands between the markers of a name."""
    pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(<!-- {name}:end -->)", re.DOTALL)
    replaced, count = pattern.subn(lambda match: match[1] + block + match[2], text)
    assert count == 1, name
    return replaced


def demo() -> str:
    """What `foretell demo` prints, without the paired differences."""
    command = Path(sys.executable).with_name("foretell")
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(
            [command, "demo", "--out", f"{folder}/demo"], check=True, capture_output=True, text=True
        ).stdout
    lines = [line.rstrip() for line in printed.split("paired differences")[0].splitlines()]
    return "```\n" + "\n".join(lines).strip() + "\n```\n"


def tiny() -> str:
    """The facts of the shipped model as a table."""
    known = facts()
    recipe, held_out = known["recipe"], known["held_out"]
    rows = "".join(f"| {name} | {bits:.3f} |\n" for name, bits in known["bits_per_byte_held_out"].items())
    return (
        f"`tiny` is a Llama of 1.07 million parameters ({recipe['layers']} layers, width {recipe['hidden']}, context "
        f"{recipe['context']}, a byte-level vocabulary of {recipe['vocabulary']:,}), trained from nothing on "
        f"{known['bytes'] / 1e6:.1f} MB of the {known['text']['name']} ({known['tokens'] / 1e6:.1f} million tokens, "
        f"{recipe['steps'] * recipe['batch'] * recipe['context'] / 1e6:.0f} million seen). Bits per byte on "
        f"{held_out['files']} held-out files ({held_out['bytes'] / 1e6:.1f} MB), beside interpolated Kneser-Ney models "
        f"of the same training text:\n\n| model | bits per byte |\n|---|---|\n{rows}\n"
        "`make tiny` trains it again; `make tiny-check` trains up to the first shipped checkpoint and compares.\n"
    )


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    README.write_text(put(put(text, "tiny", tiny()), "demo", demo()), encoding="utf-8")
