"""Send a recording, or a camera and a microphone, to the live socket and print the results.

    avtca serve                                   in another terminal
    python examples/live_client.py clip.mp4       at the speed at which it was recorded
    ffmpeg -f v4l2 -i /dev/video0 -f alsa -i default -c:v mjpeg -c:a pcm_s16le -f matroska - |
        python examples/live_client.py -          camera and microphone, on Linux

Needs the extra serve. The token of a server that has one is read from AVTCA_TOKEN. A socket that is
lost is opened again, and its session goes on.
"""

import argparse
import asyncio
import io
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import av
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, WebSocketException

AUDIO, PICTURE = 1, 2
FPS, JPEG_QUALITY = 25, 85


def media(source: str) -> Iterator[tuple[int, int, bytes]]:
    """Kind, microseconds and payload of pictures and audio, in the order of the recording."""
    resampler = av.AudioResampler("s16", "mono", 16_000)
    next_s = -1.0
    with av.open(sys.stdin.buffer if source == "-" else source) as container:
        streams = [*container.streams.video[:1], *container.streams.audio[:1]]
        for packet in container.demux(streams):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame) and frame.time >= next_s - 0.002:
                    next_s = max(next_s, frame.time - 1 / FPS) + 1 / FPS
                    picture = io.BytesIO()
                    frame.to_image().save(picture, "JPEG", quality=JPEG_QUALITY)
                    yield PICTURE, round(1e6 * frame.time), picture.getvalue()
                elif isinstance(frame, av.AudioFrame):
                    start_us = round(1e6 * frame.time)
                    for block in resampler.resample(frame):
                        yield AUDIO, start_us, block.to_ndarray().tobytes()


def read_media(source: str, put: Callable[[bytes | None], None]) -> None:
    """Hand over binary messages when they are due, and ``None`` at the end."""
    started, first_us = time.monotonic(), None
    try:
        for kind, time_us, payload in media(source):
            first_us = time_us if first_us is None else first_us
            time_us = max(0, time_us - first_us)
            if source != "-":  # a camera takes its time itself
                time.sleep(max(0.0, started + time_us / 1e6 - time.monotonic()))
            put(bytes([kind]) + time_us.to_bytes(8, "big") + payload)
    finally:
        put(None)


def show(message: dict[str, Any]) -> None:
    """Print a result or an error."""
    if message["type"] == "measurement.result":
        for row in message["people"]:
            who = "voice" if row["person"] is None else f"person {row['person']}"
            score = f"{row['top']} {row['scores'][row['top']]:.0%}" if row["top"] else "nothing"
            used = f", {' and '.join(row['modalities'])}" if row["person"] is not None else ""
            sure = "" if row["sure"] else " (not confident)"
            delay = f"{message['delay_ms']:.0f} ms"
            print(f"{row['end_s']:7.1f} s  {who}{used}: {score}{sure}, delay {delay}", flush=True)
    elif message["type"] == "error":
        print("{action}: {problem}; {fix}".format(**message), file=sys.stderr)


async def run(source: str, url: str, session: dict[str, Any]) -> dict[str, Any]:
    """Send the media and print the results; returns ``session.closed``."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def put(message: bytes | None) -> None:
        loop.call_soon_threadsafe(waiting.put_nowait, message)

    async def send(socket: Any) -> None:
        while (message := await waiting.get()) is not None:
            await socket.send(message)
        await socket.send(json.dumps({"type": "finalize"}))
        waiting.put_nowait(None)  # for another socket, if this one is lost before the last result

    create: dict[str, Any] = {"type": "session.create", "session": session}
    token = os.environ.get("AVTCA_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reader = threading.Thread(target=read_media, args=(source, put), daemon=True)

    def is_final(error: Exception) -> Exception | None:
        """The first connection has to succeed; later ones are tried again."""
        return None if "session_id" in create else error

    options = {"additional_headers": headers, "process_exception": is_final}
    async for socket in connect(url, compression=None, **options):
        sending = None
        try:
            await socket.send(json.dumps(create))
            async for text in socket:
                message = json.loads(text)
                show(message)
                if message["type"] == "session.created":
                    create["session_id"] = message["session_id"]
                    sending = asyncio.create_task(send(socket))
                    if not reader.ident:
                        reader.start()
                elif message["type"] == "session.closed":
                    return message
                elif message["type"] == "error" and message["fatal"]:
                    sys.exit(2)
        except ConnectionClosed:
            pass
        finally:
            if sending is not None:
                sending.cancel()
        print("the socket is lost; connecting again", file=sys.stderr)
    raise AssertionError


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="a video or audio file, or - for a stream on stdin")
    parser.add_argument("--url", default="ws://127.0.0.1:8000/v1/live")
    parser.add_argument("--person", default="main", choices=("main", "all"))
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS")
    args = parser.parse_args()
    options = {"person": args.person, "every_s": args.every}
    try:
        closed = asyncio.run(run(args.source, args.url, options))
    except (OSError, WebSocketException) as error:
        sys.exit(f"connect to {args.url}: {error}; start avtca serve, or set AVTCA_TOKEN")
    print(f"{closed['results']} results, {closed['reason']}; {closed['counts']}")
