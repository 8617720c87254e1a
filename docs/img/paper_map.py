"""Draws paper_map.svg and paper_map.png: the figure of AVT-CA with the file of each box.

python docs/img/paper_map.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

AUDIO, VIDEO, BOTH = "#2a6f97", "#b5651d", "#4a4e69"
X_AUDIO, X_VIDEO, X_LOCAL = 2.6, 9.2, 12.6
WIDTH = 4.4


def box(ax, x, y, title, file, colour, *, width=WIDTH, height=0.86):
    """A rounded box with a title and the file behind it."""
    ax.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=f"{colour}18",
            edgecolor=colour,
            linewidth=1.4,
        )
    )
    ax.text(x, y + (0.13 if file else 0), title, ha="center", va="center", fontsize=10)
    if file:
        ax.text(
            x,
            y - 0.22,
            file,
            ha="center",
            va="center",
            fontsize=7.8,
            family="monospace",
            color=colour,
        )


def arrow(ax, start, end, colour="#333333", *, bend=0.0, style="-|>", dashed=False):
    """An arrow between two points."""
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=style,
            mutation_scale=11,
            color=colour,
            linewidth=1.3,
            linestyle=(0, (4, 2)) if dashed else "-",
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
        )
    )


def plus(ax, x, y, colour, sign="+"):
    """A circle with a sign, where two streams are added."""
    ax.scatter([x], [y], s=230, facecolor="white", edgecolor=colour, linewidth=1.4, zorder=3)
    ax.text(x, y - 0.01, sign, ha="center", va="center", fontsize=12, color=colour, zorder=4)


def branch_step(ax, y, title, file):
    """A box on each branch that reads both streams and is added to the branch."""
    for x, other, colour, side in ((X_AUDIO, X_VIDEO, AUDIO, -1), (X_VIDEO, X_AUDIO, VIDEO, 1)):
        box(ax, x, y, title, file, colour)
        out = x + side * (WIDTH / 2 + 0.35)
        top = y + 0.85
        ax.plot([x, out, out], [top, top, y - 0.85], color=colour, linewidth=1.3)
        arrow(ax, (out, y - 0.85), (x + side * 0.17, y - 0.85), colour)
        plus(ax, x, y - 0.85, colour)
        arrow(ax, (x, top + 0.2), (x, y + 0.43), colour)
        arrow(ax, (x, y - 0.43), (x, y - 0.69), colour)
        inner = x - side * WIDTH / 2
        arrow(ax, (other, top), (inner, y + 0.12), AUDIO if colour == VIDEO else VIDEO, dashed=True)


def main():
    """Draw and save both pictures beside this file."""
    plt.rcParams["svg.hashsalt"] = "paper_map"
    fig, ax = plt.subplots(figsize=(11.5, 14.2))
    ax.set_xlim(-0.4, 15.2)
    ax.set_ylim(-0.7, 19.4)
    ax.axis("off")

    ax.text(X_AUDIO, 19.0, "audio (b, f, t_a)", ha="center", fontsize=11, color=AUDIO)
    ax.text(X_VIDEO, 19.0, "face crops (b, t_v, c, h, w)", ha="center", fontsize=11, color=VIDEO)

    # video, steps 1 to 3
    arrow(ax, (X_VIDEO, 18.85), (X_VIDEO, 18.43), VIDEO)
    box(ax, X_VIDEO, 18.0, "conv 3x3, max pool (stem)", "video_trunk.py", VIDEO)
    ax.plot([X_VIDEO, X_VIDEO], [17.57, 17.2], color=VIDEO, linewidth=1.3)
    ax.plot([X_VIDEO - 1.75, X_VIDEO + 3.1], [17.2, 17.2], color=VIDEO, linewidth=1.3)
    for x, title, file in (
        (X_VIDEO - 1.75, "channel x spatial attention", "channel_spatial_attention.py"),
        (X_VIDEO + 3.1, "local feature extractor", "local_features.py"),
    ):
        arrow(ax, (x, 17.2), (x, 16.73), VIDEO)
        box(ax, x, 16.3, title, file, VIDEO, width=3.9)
    ax.plot([X_VIDEO - 1.75, X_VIDEO - 1.75], [15.87, 15.4], color=VIDEO, linewidth=1.3)
    ax.plot([X_VIDEO + 3.1, X_VIDEO + 3.1], [15.87, 15.4], color=VIDEO, linewidth=1.3)
    arrow(ax, (X_VIDEO - 1.75, 15.4), (X_VIDEO - 0.17, 15.4), VIDEO)
    arrow(ax, (X_VIDEO + 3.1, 15.4), (X_VIDEO + 0.17, 15.4), VIDEO)
    plus(ax, X_VIDEO, 15.4, VIDEO)
    arrow(ax, (X_VIDEO, 15.24), (X_VIDEO, 14.83), VIDEO)
    box(ax, X_VIDEO, 14.4, "inverted residual block  x2", "inverted_residual.py", VIDEO)
    arrow(ax, (X_VIDEO, 13.97), (X_VIDEO, 13.53), VIDEO)
    box(ax, X_VIDEO, 13.1, "[conv 3, BN, ReLU]  x2", "temporal_conv.py", VIDEO)

    # audio, step 1
    arrow(ax, (X_AUDIO, 18.85), (X_AUDIO, 13.53), AUDIO)
    box(ax, X_AUDIO, 13.1, "[conv 3 → BN, ReLU, max pool]  x2", "temporal_conv.py", AUDIO)

    for x, colour in ((X_AUDIO, AUDIO), (X_VIDEO, VIDEO)):
        ax.plot([x, x], [12.67, 12.25], color=colour, linewidth=1.3)
    branch_step(ax, 11.2, "transformer block", "transformer_block.py")

    for x, colour, words in (
        (X_AUDIO, AUDIO, "[conv 3 → BN, ReLU, max pool]  x2"),
        (X_VIDEO, VIDEO, "[conv 3, BN, ReLU]  x2"),
    ):
        arrow(ax, (x, 10.19), (x, 9.73), colour)
        box(ax, x, 9.3, words, "temporal_conv.py", colour)
        ax.plot([x, x], [8.87, 8.45], color=colour, linewidth=1.3)
    branch_step(ax, 7.4, "self attention: q, k own, v other", "self_attention.py")

    for x, side, colour in ((X_AUDIO, 1, AUDIO), (X_VIDEO, -1, VIDEO)):
        other = X_VIDEO if x == X_AUDIO else X_AUDIO
        arrow(ax, (x, 6.39), (x, 5.13), colour)
        arrow(
            ax,
            (other, 5.95),
            (x + side * WIDTH / 2, 4.85),
            VIDEO if colour == AUDIO else AUDIO,
            dashed=True,
        )
        words = "audio queries" if x == X_AUDIO else "video queries"
        box(ax, x, 4.7, f"cross attention: {words}", "cross_attention.py", colour)
        arrow(ax, (x, 4.27), (x, 3.73), colour)
        box(ax, x, 3.3, "max pool over time", "pooling.py", colour)
    middle = (X_AUDIO + X_VIDEO) / 2
    for x, colour in ((X_AUDIO, AUDIO), (X_VIDEO, VIDEO)):
        ax.plot([x, x], [2.87, 2.3], color=colour, linewidth=1.3)
        side = 1 if x < middle else -1
        arrow(ax, (x, 2.3), (middle - side * 0.17, 2.3), colour)
    plus(ax, middle, 2.3, BOTH)
    arrow(ax, (middle, 2.14), (middle, 1.73), BOTH)
    box(ax, middle, 1.3, "fully connected, softmax", "head.py", BOTH)
    arrow(ax, (middle, 0.87), (middle, 0.45), BOTH)
    ax.text(middle, 0.2, "emotions (b, n_labels)", ha="center", va="center", fontsize=11)

    steps = {
        18.0: "1",
        16.3: "2",
        13.75: "3",
        11.2: "4",
        9.3: "5",
        7.4: "6",
        4.7: "7",
        3.3: "8",
        1.3: "9",
    }
    ax.text(0.1, 13.1, "1", ha="center", va="center", fontsize=12, color="#888888")
    for y, number in steps.items():
        ax.text(14.9, y, number, ha="center", va="center", fontsize=12, color="#888888")
    ax.text(14.9, 19.0, "step", ha="center", fontsize=9, color="#888888")
    ax.text(
        -0.3,
        -0.5,
        "solid: tokens of the same branch; dashed: tokens of the other branch; "
        "avtca.py runs the steps in order",
        fontsize=8.5,
        color="#555555",
    )
    here = Path(__file__).parent
    fig.savefig(here / "paper_map.svg", bbox_inches="tight", metadata={"Date": None})
    fig.savefig(here / "paper_map.png", dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
