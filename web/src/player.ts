// The video, played from the user's own file.
import { h } from "./dom";
import type { Session } from "./session";

export class Player {
  readonly video = h("video", { playsinline: true, preload: "auto" });
  readonly element = h("div", { class: "stage" }, this.video);

  constructor(private readonly session: Session) {
    session.on("current", (open) => {
      if (open) this.video.src = open.url;
      else this.video.removeAttribute("src");
    });
    this.video.addEventListener("loadedmetadata", () => {
      if (session.current) session.setDuration(session.current, this.video.duration);
    });
    this.video.addEventListener("timeupdate", () => session.setPlayhead(this.video.currentTime));
  }

  seek(time_s: number): void {
    const end = this.session.current?.duration_s ?? 0;
    this.video.currentTime = Math.min(Math.max(0, time_s), end);
    this.session.setPlayhead(this.video.currentTime);
  }
}
