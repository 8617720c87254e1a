"""Which packets of a video hold the frames that are sampled; the others need not be decoded."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from av.packet import Packet
from av.stream import Stream

from avtca.media.clock import HALF_MS, JOIN_BACK_S, SAME_S, seconds_after, step_of

AnyPacket: TypeAlias = "Packet[Stream]"
SKIPPING_CODECS = ("h264", "hevc", "mpeg2video", "mpeg4", "vp8", "vp9")
"""FFmpeg's decoders that can leave out frames to which no other frame refers."""
MAX_GAP_S = 1
"""Timestamps that jump further are irregular."""
MAX_WAITING = 200
"""Most packets that wait for the next ones; more are irregular timestamps."""
LATER_S, LATER = 0.01, 10.0
"""Each so many seconds between decoding and showing a frame count as so many seconds less from the
middle of a step of the denser clock."""
END_S = 1
"""Seconds before the end of a part in which every frame is decoded."""


@dataclass
class _Waiting:
    """A packet.

    Attributes:
        packet: The packet.
        needed: Whether its frame is needed; ``None`` while that is open.
        steps: Number of steps, of all clocks, that may still need it.
    """

    packet: "AnyPacket | None"
    needed: bool | None = True
    steps: int = 0


class PacketChoice:
    """Chooses the packets whose frames are nearest to the middle of a step.

    On the denser clock, a frame that is decoded long before it is shown is preferred: others refer
    to it, so that it is decoded in any case.

    A step is decided once a packet's decoding time is past its end, since no frame is shown before
    it is decoded. From the first irregular timestamp on, every packet is needed.

    Args:
        rate: Steps a second.
        zero: Time zero of the clip on the file's clock, in seconds.
        stop: End of the clip, in seconds from its time zero.
        dense_rate: Steps a second of another clock, 0 for none.
    """

    def __init__(
        self,
        rate: float,
        zero: Fraction,
        stop: Fraction | None = None,
        dense_rate: float = 0.0,
    ) -> None:
        self._rates = [rate, dense_rate] if dense_rate else [rate]
        self._zero = zero
        self._decided_until = math.inf if stop is None else float(stop - END_S)
        self._waiting: deque[_Waiting] = deque()
        self._steps: dict[tuple[float, int], list[tuple[float, float, _Waiting]]] = {}
        self._last_dts: float | None = None
        self._regular = True

    def __call__(
        self, packets: "Iterable[AnyPacket | None]"
    ) -> "Iterator[tuple[AnyPacket | None, bool]]":
        """The packets in their order, each with whether its frame is needed."""
        for packet in packets:
            waiting = _Waiting(packet)
            self._waiting.append(waiting)
            self._regular = self._regular and self._add(waiting)
            if not self._regular or len(self._waiting) > MAX_WAITING:
                self._regular = False
                self._give_up()
            while self._waiting and self._waiting[0].needed is not None:
                first = self._waiting.popleft()
                yield first.packet, bool(first.needed)
        self._give_up()
        for one in self._waiting:
            yield one.packet, True

    def _add(self, waiting: _Waiting) -> bool:
        """Whether the packet's timestamps are regular."""
        packet = waiting.packet
        if packet is None or packet.is_corrupt or packet.pts is None or packet.dts is None:
            return False
        base = packet.time_base
        time = seconds_after(packet.pts, base, self._zero)
        dts = seconds_after(packet.dts, base, self._zero)
        last, self._last_dts = self._last_dts, dts
        if last is not None and not 0 <= dts - last <= MAX_GAP_S:
            return False
        if not 0 <= time - dts <= MAX_GAP_S + JOIN_BACK_S:
            return False
        for key in [key for key in self._steps if (key[1] + 1) / key[0] <= dts]:
            self._decide(self._steps.pop(key))
        if not 0 <= time < self._decided_until:
            return True
        waiting.needed, waiting.steps = None, len(self._rates)
        error = min(float(base) / 2, HALF_MS)
        for rate in self._rates:
            step, off = step_of(time, error, rate)
            if rate != self._rates[0]:
                off -= LATER * round((time - dts) / LATER_S)
            self._steps.setdefault((rate, step), []).append((time, off, waiting))
        return True

    def _decide(self, packets: list[tuple[float, float, _Waiting]]) -> None:
        """The packet with the least distance is needed, the earlier one of two."""
        packets.sort(key=lambda one: one[0])
        least, best = math.inf, packets[0][2]
        for _, off, one in packets:
            if off < least - SAME_S:
                least, best = off, one
        best.needed = True
        for *_, one in packets:
            if one is not best:
                one.steps -= 1
                if one.needed is None and not one.steps:
                    one.needed = False

    def _give_up(self) -> None:
        for one in self._waiting:
            one.needed = True
        self._steps.clear()
