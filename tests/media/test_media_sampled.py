"""Frames that are not sampled are left out, and those that are stay the same."""

from fractions import Fraction

import av
import media_clips
import numpy as np
import pytest
from av.packet import Packet
from media_clips import encode, levels

from avtca.media import container, open_media
from avtca.media.sampled import PacketChoice

TICK = Fraction(1, 30)
ORDER = [0, 4, 2, 1, 3, 8, 6, 5, 7, 12, 10, 9, 11, 16, 14, 13, 15]
"""Frames in the order of their packets, with three B frames between two others."""


def packet(pts, dts, base=TICK):
    one = Packet(4)
    one.pts, one.dts, one.time_base = pts, dts, base
    return one


def packets(order=ORDER, delay=3):
    return [packet(pts, k - delay) for k, pts in enumerate(order)]


def needed(given, rate=10, zero=0, stop=None):
    """Timestamps of the packets whose frames are needed."""
    chosen = list(PacketChoice(rate, zero * TICK, stop)(iter(given)))
    assert [one for one, _ in chosen] == given
    return sorted(one.pts for one, is_needed in chosen if is_needed and one is not None)


def test_the_frame_nearest_to_the_middle_of_each_step_is_needed():
    """Steps of three frames have their middle between the second and the third: the earlier."""
    at_end = range(9, 17)  # packets from the first undecided one on, which shows 12
    assert needed(packets()) == [1, 4, 7, *at_end]
    assert needed(packets(), rate=5) == [3, *at_end]
    assert needed(packets(), rate=30) == sorted(ORDER)
    assert needed(packets(), zero=6) == [*range(6), 7, *at_end]
    assert needed(packets(), stop=5 * TICK + 1) == [1, 4, *range(5, 17)]


def test_the_denser_clock_prefers_frames_to_which_others_refer():
    """Of 15 steps of two frames a second; the second of three B frames is one of them."""
    chosen = PacketChoice(5, Fraction(0), None, 15)(iter(packets()))
    found = sorted(one.pts for one, is_needed in chosen if is_needed)
    assert found == [0, 2, 3, 4, 6, 8, *range(9, 17)]  # 3: the step of the sampled clock
    all_alike = [packet(k, k) for k in range(30)]
    chosen = PacketChoice(5, Fraction(0), None, 15)(iter(all_alike))
    first = sorted(one.pts for one, is_needed in chosen if is_needed and one.pts < 24)
    assert first == list(range(1, 24, 2))  # the middles of both clocks


@pytest.mark.parametrize(
    "odd", [packet(None, 5), packet(6, None), packet(6, 2), packet(6, 60), packet(90, 5), None]
)
def test_everything_is_needed_from_an_irregular_timestamp_on(odd):
    given = packets()
    given.insert(8, odd)
    found = {one for one in given[8:] if one is not None}
    chosen = PacketChoice(10, Fraction(0))(iter(given))
    assert found <= {one for one, is_needed in chosen if is_needed}


def test_timestamps_that_never_decide_a_step_do_not_fill_the_memory():
    given = [packet(k, 0) for k in reversed(range(30))] * 10
    read = 0

    def counted():
        nonlocal read
        for one in given:
            read += 1
            yield one

    next(PacketChoice(0.1, Fraction(0))(counted()))
    assert read == 201


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("s.mp4", "libx264"),
        ("s.ts", "libx264"),
        ("s.mkv", "libx265"),
        ("s.mpg", "mpeg2video"),
        ("s.webm", "libvpx-vp9"),
    ],
)
def test_sampled_frames_are_those_of_the_whole_video(tmp_path, monkeypatch, name, codec):
    if codec == "libx264":
        monkeypatch.setattr(media_clips, "_quick", lambda codec: {"preset": "veryfast", "bf": "3"})
    pictures = [np.roll(image, 3 * k) for k, image in enumerate(levels(45))]
    path = encode(tmp_path / name, pictures=pictures, fps=30, video=codec)

    def frames():
        clip = open_media(path)
        read = [(frame.step, frame.time_s, frame.length_s, frame.rgb) for frame in clip.frames(10)]
        return read, clip.warnings, clip.decoded_seconds

    sampled, *rest = frames()
    n = n_decoded(path)
    assert n < 40 if codec == "libx264" else n <= 45
    monkeypatch.setattr(container, "SKIPPING_CODECS", ())
    whole, *rest_of_whole = frames()
    assert rest == rest_of_whole and n_decoded(path) == 45
    assert len(sampled) == len(whole) == 15
    for one, other in zip(sampled, whole, strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_array_equal(one[3], other[3])


def n_decoded(path):
    with av.open(str(path)) as file:
        choice = PacketChoice(10, Fraction(file.start_time or 0, av.time_base))
        return sum(1 for _ in container.decode(file, file.streams.video[0], print, choice=choice))
