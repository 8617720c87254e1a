"""A drawn face that moves: shaded skin, hair, and features that take on an expression.

It is not based on any photograph. Lengths are in units of half a face's width, from the point
between the eyes, x to the right of the picture, y down.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

UNIT = 120
"""Pixels of a unit in the drawing of the head."""
LEFT, TOP, WIDE, HIGH = -1.6, -2.05, 3.2, 4.2
"""The drawing's edges and size, in units."""

Float = NDArray[np.float64]
Colour = tuple[int, int, int]
Points = list[tuple[float, float]]

SKINS = (
    (244, 206, 178),
    (232, 184, 150),
    (214, 160, 122),
    (182, 126, 90),
    (140, 92, 66),
    (104, 68, 50),
)
LIGHT_WAVES = 5
LIGHT_PERIOD = 1.0, 2.4
"""Of the waves in a speaker's light pattern, in units of half a face's width."""
LIGHT_DEPTH = 0.06
HAIRS = ((38, 28, 24), (62, 42, 30), (96, 64, 40), (150, 108, 62), (86, 82, 80), (120, 60, 36))
EYES = ((72, 48, 30), (96, 72, 42), (70, 100, 84), (78, 108, 140))


@dataclass(frozen=True, kw_only=True)
class Expression:
    """Movements of the face, 0 at rest, 1 strong."""

    inner_brow: float = 0.0
    outer_brow: float = 0.0
    frown: float = 0.0
    """Brows drawn together."""
    lids: float = 0.0
    """Wide open above 0, narrow below, shut at -1."""
    smile: float = 0.0
    """Corners of the mouth, up or down."""
    stretch: float = 0.0
    """Width of the mouth."""
    jaw: float = 0.0
    """How far the mouth is open."""
    lip_raise: float = 0.0
    press: float = 0.0
    """Lips pressed thin."""
    wrinkle: float = 0.0
    """Of the nose."""
    nod: float = 0.0
    """Head down."""

    def scaled(self, by: float) -> "Expression":
        """Every movement times ``by``."""
        return Expression(**{name: by * value for name, value in vars(self).items()})


EXPRESSIONS = {
    "neutral": Expression(),
    "calm": Expression(smile=0.25, lids=-0.15),
    "happy": Expression(smile=1.0, stretch=0.7, jaw=0.25, lids=-0.25, outer_brow=0.15),
    "sad": Expression(inner_brow=0.9, outer_brow=-0.5, frown=0.4, lids=-0.3, smile=-0.8, nod=0.6),
    "angry": Expression(
        inner_brow=-1.0, outer_brow=0.1, frown=1.0, lids=0.1, smile=-0.4, press=0.8, stretch=0.1
    ),
    "fear": Expression(
        inner_brow=1.0, outer_brow=0.4, frown=0.6, lids=0.8, stretch=0.8, jaw=0.3, smile=-0.3
    ),
    "disgust": Expression(
        inner_brow=-0.6, frown=0.5, lids=-0.4, lip_raise=1.0, wrinkle=1.0, smile=-0.5
    ),
    "surprise": Expression(inner_brow=1.2, outer_brow=1.2, lids=1.0, jaw=0.9, stretch=-0.4),
}


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Looks of one speaker: colours and proportions."""

    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    wall: Colour
    long_hair: bool
    jaw: float
    """Squareness, 2 round to 3.2 square."""
    fringe: float
    """Height of the hairline over the eyes, in units."""
    eye_gap: float
    eye_size: float
    brow: float
    """Thickness."""
    mouth: float
    """Width."""
    lips: float
    """Fullness."""
    stubble: float
    lighting: int = 0
    """Seed of the light and shade on face and wall, see :func:`light_pattern`."""


class Head:
    """One person's head, drawn once at rest; :meth:`draw` gives it an expression."""

    def __init__(self, looks: Looks, light: float = 1.0) -> None:
        self.looks = looks
        rgb, alpha = _head(looks, light)
        self._rest = Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))
        self._dark = Image.fromarray(np.clip(rgb * 0.55, 0, 255).astype(np.uint8))
        self.alpha = Image.fromarray((255 * alpha).astype(np.uint8))
        self._skin = tuple(int(c * light) for c in looks.skin)

    def draw(self, face: Expression, *, rounding: float, gaze: float, blink: float) -> Image.Image:
        """RGB picture of the head, :data:`UNIT` pixels a unit; ``blink`` 1 shuts the eyes."""
        image = self._rest.copy()
        folds = self._folds(face)
        image.paste(self._dark, (0, 0), folds)
        draw = ImageDraw.Draw(image)
        for side in (-1, 1):
            self._eye(image, side, face, gaze, blink)
            self._brow(draw, side, face)
        self._mouth(draw, face, rounding)
        return image

    def _folds(self, face: Expression) -> Image.Image:
        """Soft shadows that the expression makes in the skin: a mask for the darker skin."""
        size = (self._rest.width // 2, self._rest.height // 2)
        mask = Image.new("L", size, 0)
        draw = ImageDraw.Draw(mask)

        def line(points: Points, strength: float, width: float) -> None:
            level = int(255 * np.clip(strength, 0, 1))
            if level > 8:
                half = [(x / 2, y / 2) for x, y in _px(points)]
                draw.line(half, fill=level, width=max(1, round(width * UNIT / 2)), joint="curve")

        cheek = max(face.smile, 0) + 0.8 * face.lip_raise + 0.3 * max(face.stretch, 0)
        for s in (-1, 1):
            nose_fold = [(s * 0.25, 0.58), (s * 0.42, 0.78), (s * 0.5, 1.02 - 0.05 * face.smile)]
            line(nose_fold, 0.12 + 0.4 * cheek, 0.035)
            line([(s * 0.1, -0.34), (s * 0.07, -0.12)], 0.7 * face.frown, 0.03)
            line([(s * 0.13, 0.02), (s * 0.03, -0.06)], 0.7 * face.wrinkle, 0.03)
            line([(s * 0.16, 0.2), (s * 0.06, 0.12)], 0.5 * face.wrinkle, 0.03)
            pouch = [(s * 0.3, 0.17), (s * 0.5, 0.2), (s * 0.68, 0.14)]
            line(pouch, 0.12 + 0.3 * max(-face.lids, 0) + 0.2 * max(face.smile, 0), 0.03)
            line([(s * 0.42, 1.12), (s * 0.47, 1.24)], 0.5 * max(-face.smile, 0), 0.05)
        for k in range(3):
            y = -0.62 - 0.14 * k
            brow = max(face.inner_brow, 0) * 0.5
            line([(-0.5, y + 0.03), (0, y - 0.02), (0.5, y + 0.03)], brow, 0.025)
        return mask.filter(ImageFilter.BoxBlur(2)).resize(
            self._rest.size, Image.Resampling.BILINEAR
        )

    def _eye(
        self, image: Image.Image, side: int, face: Expression, gaze: float, blink: float
    ) -> None:
        looks = self.looks
        cx, half = side * looks.eye_gap, 0.2 * looks.eye_size
        upper = 0.1 * looks.eye_size * (1 + 0.55 * face.lids) * (1 - blink)
        lower = 0.055 * looks.eye_size * (1 + 0.3 * face.lids) * (1 - blink)
        x = np.linspace(-1, 1, 13)
        bow = 1 - np.abs(x) ** 2.3
        slant = 0.015 * x * side
        top = list(zip(cx + half * x, -upper * bow - slant, strict=True))
        low = list(zip(cx + half * x, lower * bow - slant, strict=True))
        box = _px([(cx - half - 0.03, -0.2), (cx + half + 0.03, 0.14)])
        x0, y0, x1, y1 = (round(v) for corner in box for v in corner)
        ball = Image.new("RGB", (x1 - x0, y1 - y0), (226, 222, 218))
        draw = ImageDraw.Draw(ball)

        def disc(radius: float, colour: Colour, dx: float = 0.0, dy: float = 0.0) -> None:
            ((px, py),) = _px([(cx + 0.06 * gaze + dx, -0.02 + dy)])
            r = radius * UNIT
            draw.ellipse((px - x0 - r, py - y0 - r, px - x0 + r, py - y0 + r), fill=colour)

        disc(0.092 * looks.eye_size, _shade(looks.iris, 0.6))
        disc(0.078 * looks.eye_size, looks.iris)
        disc(0.04 * looks.eye_size, (12, 10, 10))
        disc(0.018, (245, 245, 245), -0.03, -0.035)
        mask = Image.new("L", ball.size, 0)
        outline = [(px - x0, py - y0) for px, py in _px(top + low[::-1])]
        ImageDraw.Draw(mask).polygon(outline, fill=255)
        image.paste(ball, (x0, y0), mask)
        draw = ImageDraw.Draw(image)
        lash = _shade(looks.hair, 0.4)
        draw.line(_px(top), fill=lash, width=round(0.03 * UNIT), joint="curve")
        draw.line(_px(low), fill=_shade(self._skin, 0.6), width=2)
        crease = [(px, y - 0.05 - 0.02 * blink) for px, y in top[1:-1]]
        draw.line(_px(crease), fill=_shade(self._skin, 0.72), width=3, joint="curve")

    def _brow(self, draw: ImageDraw.ImageDraw, side: int, face: Expression) -> None:
        looks = self.looks
        x = np.linspace(0, 1, 9)
        inner = -0.24 - 0.13 * face.inner_brow + 0.02 * face.wrinkle
        outer = -0.23 - 0.1 * face.outer_brow
        y = inner * (1 - x) + outer * x - 0.09 * np.sin(np.pi * x**1.3)
        across = (looks.eye_gap - 0.27 - 0.06 * face.frown) + 0.56 * x
        thick = 0.055 * looks.brow * (1 - 0.75 * x**2)
        edge = list(zip(side * across, y - thick, strict=True))
        edge += list(zip(side * across, y + thick, strict=True))[::-1]
        draw.polygon(_px(edge), fill=_shade(looks.hair, 0.85))

    def _mouth(self, draw: ImageDraw.ImageDraw, face: Expression, rounding: float) -> None:
        looks = self.looks
        half = 0.42 * looks.mouth * (1 + 0.28 * face.stretch - 0.3 * rounding)
        gap = 0.34 * max(face.jaw, 0)
        x = np.linspace(-1, 1, 17)
        bow = 1 - x**2
        corner = -0.13 * face.smile * np.abs(x) ** 1.6 + 0.05 * face.smile
        middle = 1.0 - 0.05 * face.lip_raise + corner
        upper_in = middle - 0.2 * gap * bow - 0.04 * face.lip_raise * bow
        lower_in = middle + 0.8 * gap * bow
        full = looks.lips * (1 - 0.55 * face.press)
        cupid = 0.75 + 0.25 * np.minimum(1, np.abs(x) / 0.25)
        upper_out = upper_in - 0.09 * full * bow**0.7 * cupid
        lower_out = lower_in + 0.125 * full * bow**0.6
        lip = _shade(_mix(self._skin, (176, 62, 62), 0.55), 0.88)

        def band(top: Float, low: Float, colour: Colour) -> None:
            shape = list(zip(half * x, top, strict=True))
            shape += list(zip(half * x, low, strict=True))[::-1]
            draw.polygon(_px(shape), fill=colour)

        band(upper_out, upper_in + 0.005, _shade(lip, 0.86))
        band(lower_in - 0.005, lower_out, lip)
        band(lower_in + 0.045 * full * bow, lower_in + 0.075 * full * bow, _shade(lip, 1.12))
        if gap > 0.02:
            band(upper_in, lower_in, (58, 22, 24))
            teeth = min(0.4 * gap, 0.1)
            band(upper_in, upper_in + teeth * bow, (228, 222, 212))
            tongue = lower_in - min(0.3 * gap, 0.1) * bow**2
            band(tongue, lower_in, (150, 66, 68))
        else:
            points = _px(list(zip(half * x, (upper_in + lower_in) / 2, strict=True)))
            draw.line(points, fill=_shade(lip, 0.45), width=4, joint="curve")


def _px(points: Points) -> Points:
    return [((x - LEFT) * UNIT, (y - TOP) * UNIT) for x, y in points]


def _shade(colour: tuple[int, ...], by: float) -> Colour:
    r, g, b = (min(255, int(c * by)) for c in colour)
    return r, g, b


def _mix(one: tuple[int, ...], two: tuple[int, ...], share: float) -> Colour:
    r, g, b = (int((1 - share) * p + share * q) for p, q in zip(one, two, strict=True))
    return r, g, b


def _head(looks: Looks, light: float) -> tuple[Float, Float]:
    """RGB ``(h, w, 3)`` 0..255 and alpha ``(h, w)`` 0..1 of the head at rest, without features."""
    x = LEFT + (np.arange(round(WIDE * UNIT)) + 0.5) / UNIT
    y = (TOP + (np.arange(round(HIGH * UNIT)) + 0.5) / UNIT)[:, None]
    x = x[None, :]

    def spot(x0: float, y0: float, sx: float, sy: float) -> Float:
        both = np.exp(-(((x - x0) / sx) ** 2)) + np.exp(-(((x + x0) / sx) ** 2))
        return (both if x0 else both / 2) * np.exp(-(((y - y0) / sy) ** 2))

    up = np.clip(np.abs((y - 0.15) / 1.75), 0, 1) ** 2.2
    down = np.clip((y - 0.15) / 1.6, 0, 1) ** looks.jaw
    across = np.where(y < 0.15, np.sqrt(1 - up), np.sqrt(1 - down)) + 1e-6
    u = np.clip(x / across, -2, 2)
    shade = 0.5 + 0.52 * np.sqrt(np.clip(1 - 0.9 * u**2, 0, 1)) - 0.07 * u
    shade *= 1 - 0.10 * np.clip(y - 0.9, 0, 1)
    shade -= 0.20 * spot(looks.eye_gap, -0.07, 0.26, 0.13) + 0.10 * spot(0.2, -0.02, 0.1, 0.2)
    shade += 0.10 * spot(0, 0.15, 0.06, 0.38) + 0.10 * spot(0, 0.5, 0.09, 0.08)
    shade -= 0.11 * spot(0.16, 0.32, 0.06, 0.26) + 0.12 * spot(0.22, 0.56, 0.05, 0.07)
    shade -= 0.22 * spot(0, 0.655, 0.2, 0.05) + 0.16 * spot(0, 1.24, 0.24, 0.06)
    shade += 0.07 * spot(0.55, 0.4, 0.22, 0.16) + 0.05 * spot(0, 1.45, 0.2, 0.12)
    shade += 0.05 * spot(0, -0.6, 0.5, 0.3)
    shade -= 0.55 * spot(0.085, 0.6, 0.035, 0.025)  # nostrils
    skin = np.array(looks.skin)[None, None] * shade[..., None]
    skin *= 1 + spot(0.58, 0.55, 0.25, 0.2)[..., None] * np.array([0.03, -0.06, -0.05])
    beard = np.clip((y - 0.55) / 0.5, 0, 1) * np.clip((np.abs(u) + (y - 0.9)) * 1.4, 0, 1)
    skin *= 1 - looks.stubble * beard[..., None] * np.array([0.35, 0.3, 0.24])

    noise = np.random.default_rng(7).standard_normal(x.shape[1] + 4)
    strands = (noise[:-4] + noise[1:-3] + noise[2:-2] + noise[3:-1] + noise[4:])[None, :] / 5
    gloss = 1 + 0.28 * strands + 0.35 * np.exp(-(((y + 1.35) / 0.22) ** 2)) * (1 - 0.4 * u**2)
    hair = np.array(looks.hair)[None, None] * gloss[..., None]

    def soft(distance: Float) -> Float:
        return np.clip(0.5 + distance / 0.03, 0, 1)

    on_face = soft(across - np.abs(x) - 0.02)
    scalp = soft(1 - np.hypot(x / 1.13, (y + 0.25) / 1.5)) * soft(
        -0.05 - y + 0.25 * looks.long_hair
    )
    line = -looks.fringe + 0.28 * x**2 + 0.1 * np.sin(5 * x + looks.fringe * 9) * np.abs(x)
    temple = np.maximum(line - y, np.abs(x) - 0.94 * across)
    on_hair = scalp * soft(temple)
    ear = np.hypot((np.abs(x) - 1.06) / 0.16, (y - 0.28) / 0.36)
    rgb = np.broadcast_to(hair * 0.6, (*np.broadcast_shapes(x.shape, y.shape), 3)).copy()
    alpha = np.zeros(rgb.shape[:2])

    def over(layer: Float, mask: Float) -> None:
        nonlocal rgb, alpha
        mask = np.broadcast_to(mask, alpha.shape)
        rgb = rgb * (1 - mask[..., None]) + layer * mask[..., None]
        alpha = np.maximum(alpha, mask)

    if looks.long_hair:
        fall = soft(1.24 + 0.05 * np.sin(3 * y) - np.abs(x)) * soft(1.75 - y) * soft(y + 0.4)
        over(hair * 0.7, fall)
    else:
        inner = 1 - 0.35 * np.exp(-(((ear - 0.45) / 0.25) ** 2))
        over(
            np.array(looks.skin) * (0.82 * inner)[..., None] * [1.0, 0.93, 0.9],
            soft(0.2 * (1 - ear)),
        )
    over(skin, on_face)
    over(hair, on_hair)
    return rgb * light * light_pattern(looks.lighting, x, y)[..., None], alpha


def light_pattern(seed: int, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]) -> Float:
    """Factor on the brightness at each point, the light of one speaker's room.

    All heads have one anatomy, so without it two speakers who show the same expression are near
    copies to an image fingerprint.
    """
    rng = np.random.default_rng(seed)
    angle, phase = rng.uniform(0, 2 * np.pi, (2, LIGHT_WAVES))
    number = 2 * np.pi / rng.uniform(*LIGHT_PERIOD, LIGHT_WAVES)
    out: Float = np.ones(np.broadcast_shapes(x.shape, y.shape))
    for k in range(LIGHT_WAVES):
        out += LIGHT_DEPTH * np.cos(
            number[k] * (np.cos(angle[k]) * x + np.sin(angle[k]) * y) + phase[k]
        )
    return out


def backdrop(looks: Looks, width: int, height: int, unit: float, light: float) -> Image.Image:
    """Wall, shoulders and neck behind the head, whose eyes rest at :func:`eyes_at`.

    ``unit`` is in pixels of this picture.
    """
    cx, cy = eyes_at(width, height)
    x = (np.arange(width)[None, :] + 0.5 - cx) / unit
    y = (np.arange(height)[:, None] + 0.5 - cy) / unit
    glow = 1 - 0.05 * np.hypot(x / 3, y / 3)
    rgb = np.array(looks.wall)[None, None] * np.clip(glow, 0.6, 1)[..., None]

    def over(colour: Float, inside: Float) -> None:
        nonlocal rgb
        mask = np.clip(0.5 + inside * unit / 2, 0, 1)[..., None]
        rgb = rgb * (1 - mask) + colour * mask

    body = np.array(looks.shirt) * (1 - 0.12 * np.abs(x))[..., None].clip(0.4, 1)
    shoulder = 2.25 + 0.42 * np.clip(np.abs(x) - 0.6, 0, None) ** 1.2
    over(body, np.minimum(y - shoulder, 2.75 - np.abs(x)))
    neck = 0.74 + 0.5 * np.clip(y - 2.0, 0, 1) ** 2
    tone = 0.5 + 0.32 * np.sqrt(np.clip(1 - (x / 0.95) ** 2, 0, 1))
    tone = tone - 0.22 * np.exp(-(((y - 1.55) / 0.35) ** 2))
    collar = 2.5 - 0.9 * np.clip(np.abs(x), 0, 1) ** 2
    inside = np.minimum(neck - np.abs(x), np.minimum(collar + 0.15 - y, y - 0.8))
    over(np.array(looks.skin) * tone[..., None], inside)
    lit = rgb * light * light_pattern(looks.lighting, x, y)[..., None]
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))


def eyes_at(width: int, height: int) -> tuple[float, float]:
    """Where the point between the eyes rests in a picture, in pixels."""
    return width / 2, 0.42 * height
