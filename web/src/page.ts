// The parts of the page that others add to.
import type { Keys } from "./keys";
import type { Player } from "./player";
import type { Session } from "./session";
import type { Timeline } from "./timeline";

export interface Page {
  readonly session: Session;
  readonly player: Player;
  readonly timeline: Timeline;
  readonly keys: Keys;
  /** Adds a panel below the timeline. */
  addPanel(title: string, content: HTMLElement): void;
  /** A short message that screen readers announce. */
  say(text: string): void;
}
