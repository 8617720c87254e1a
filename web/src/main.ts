import "./style.css";
import * as api from "./api";
import { ApiError, problemText } from "./api";
import { addCoding, isCoding } from "./coding";
import { append, fill, h } from "./dom";
import { FileList } from "./files";
import { Follower } from "./follow";
import { Help } from "./help";
import { Keys } from "./keys";
import { Live } from "./live";
import { Merging } from "./merging";
import { fileNotice } from "./notice";
import type { Page } from "./page";
import { Player } from "./player";
import { Recordings } from "./recordings";
import { lastBefore } from "./series";
import { Session, type OpenFile } from "./session";
import * as theme from "./theme";
import { Timeline } from "./timeline";
import type { Options } from "./types";
import { Uploads } from "./upload";

const session = new Session();
const keys = new Keys();
const status = h("p", { class: "toast", role: "status" });
let hideStatus = 0;
const say = (text: string) => {
  status.textContent = text;
  clearTimeout(hideStatus);
  hideStatus = window.setTimeout(() => (status.textContent = ""), 6000);
};

const model = h("select", { id: "model" });
const person = h("select", { id: "person" }, h("option", { value: "all" }, "each person"), h("option", { value: "main" }, "the main face"), h("option", { value: "speaker" }, "the person who speaks"));
const options = (): Options => ({ model: model.value, person: person.value as Options["person"], merge: [] });

const follower = new Follower(session, loadResults);
const uploads = new Uploads(session, options, (open) => follower.add(open));
const player = new Player(session);
const timeline = new Timeline(session, player);

function drop(open: OpenFile): void {
  uploads.cancel(open);
  follower.remove(open);
  if (open.job) api.remove(open.job.id).catch(() => undefined);
}

const files = new FileList(
  session,
  {
    choose: (chosen) => {
      showTab("recordings");
      const recorded = chosen.filter((file) => !isCoding(file.name));
      for (const file of recorded) {
        const open = session.add(file);
        if (!open.job) uploads.add(open);
        if (!session.current || recorded.length === 1) session.show(open);
      }
      for (const file of chosen) if (isCoding(file.name)) void importCoding(file);
    },
    retry: (open) => {
      open.job = null;
      uploads.add(open);
    },
    remove: (open) => {
      if (open.again) drop(open.again);
      drop(open);
      session.remove(open);
    },
  },
  h("details", { class: "settings" }, h("summary", {}, "Settings for new recordings"),
    h("p", {}, h("label", { for: "model" }, "Model"), model),
    h("p", {}, h("label", { for: "person" }, "Read"), person)),
);
const merging = new Merging(session, { start: (open) => uploads.add(open), drop }, say);
const recordings = new Recordings(session, player, timeline, files, merging, say, () => showTab("live"));
const live = new Live(session);

async function loadResults(open: OpenFile): Promise<void> {
  const id = open.job!.id;
  try {
    const [report, track] = await Promise.all([api.report(id), api.track(id)]);
    open.track = track;
    open.report = report;
    const attention = session.models.some((one) => one.attention && one.version === report.model);
    if (attention) open.attention = await api.attention(id).catch(() => null);
    session.setDuration(open, report.duration_s);
  } catch (error) {
    open.problem = (error as ApiError).problem ?? { title: String(error), status: 0 };
  }
  session.changed(open);
}

const help = new Help(keys);
const tabs = {
  recordings: h("button", { type: "button", "aria-pressed": "true", onclick: () => showTab("recordings") }, "Recordings"),
  live: h("button", { type: "button", "aria-pressed": "false", onclick: () => showTab("live") }, "Camera"),
};
function showTab(name: "recordings" | "live"): void {
  recordings.element.hidden = name !== "recordings";
  notice.hidden = name !== "recordings";
  live.element.hidden = name !== "live";
  tabs.recordings.setAttribute("aria-pressed", String(name === "recordings"));
  tabs.live.setAttribute("aria-pressed", String(name === "live"));
  if (name === "recordings") live.stop();
  else player.pause();
  timeline.redraw();
}

const themes = h(
  "select",
  { "aria-label": "colours", onchange: () => theme.choose(themes.value as theme.Choice) },
  h("option", { value: "system" }, "system colours"),
  h("option", { value: "light" }, "light"),
  h("option", { value: "dark" }, "dark"),
);
themes.value = theme.current();
theme.onChange(() => (themes.value = theme.current()));
const notice = fileNotice();

append(
  document.body,
  h("a", { class: "skip", href: "#main" }, "To the content"),
  h(
    "header",
    { class: "masthead" },
    h("h1", {}, h("img", { src: "./assets/icon.svg", alt: "", width: 28, height: 28 }), "avtca"),
    h("nav", { "aria-label": "views" }, tabs.recordings, tabs.live),
    h("span", { class: "grow" }),
    themes,
    h("button", { type: "button", class: "quiet", onclick: () => help.show() }, "Keys"),
  ),
  h("main", { id: "main", tabindex: -1 }, notice, recordings.element, live.element),
  status,
  help.dialog,
);
live.element.hidden = true;

const stepWindow = (direction: 1 | -1) => {
  const starts = recordings.windowStarts;
  const i = lastBefore(starts, session.playhead_s + (direction > 0 ? 0.02 : -0.02));
  const next = starts[direction > 0 ? i + 1 : i];
  if (next !== undefined) player.seek(next);
};
const stepFile = (direction: 1 | -1) => {
  const at = session.current ? session.files.indexOf(session.current) : -1;
  const next = session.files[at + direction];
  if (next) session.show(next);
};
const stepPerson = (direction: 1 | -1) => {
  const people = [null, ...(session.current?.report?.people ?? []).map((one) => one.person)];
  const at = people.indexOf(session.person);
  session.setPerson(people[(at + direction + people.length) % people.length] ?? null);
};
keys.active = () => !recordings.element.hidden;
keys.add(" ", "Space", "play, pause", () => player.toggle());
keys.add("ArrowLeft", "←", "a frame back, forward", () => void player.step(-1));
keys.add("ArrowRight", "→", "a frame back, forward", () => void player.step(1));
keys.add("Shift+ArrowLeft", "Shift ←", "a window back, forward", () => stepWindow(-1));
keys.add("Shift+ArrowRight", "Shift →", "a window back, forward", () => stepWindow(1));
keys.add("Home", "Home", "to the start, the end", () => player.seek(0));
keys.add("End", "End", "to the start, the end", () => player.seek(session.current?.duration_s ?? 0));
keys.add("ArrowUp", "↑", "the person before, after", () => stepPerson(-1));
keys.add("ArrowDown", "↓", "the person before, after", () => stepPerson(1));
keys.add("PageUp", "Page ↑", "the recording before, after", () => stepFile(-1));
keys.add("PageDown", "Page ↓", "the recording before, after", () => stepFile(1));
keys.add("+", "+", "zoom in, out, the whole recording", () => timeline.zoom(0.5));
keys.add("-", "−", "zoom in, out, the whole recording", () => timeline.zoom(2));
keys.add("0", "0", "zoom in, out, the whole recording", () => session.setView(0, Infinity));
keys.add("Escape", "Esc", "clear the selection (Shift and drag)", () => session.setSelection(null));
keys.add("?", "?", "these keys", () => help.show());

const page: Page = {
  session,
  player,
  timeline,
  keys,
  addPanel: (title, content) => recordings.panels.append(h("section", { class: "card panel" }, h("h2", {}, title), content)),
  say,
};
const importCoding = addCoding(page);

api.models().then(
  (models) => {
    session.models = models;
    fill(model, ...models.map((one) => h("option", { value: one.name, selected: one.default }, one.name + (one.attention ? " (with attention)" : ""))));
    session.emit("models", models);
  },
  (error: ApiError) => say(problemText(error.problem)),
);
// Results of an earlier visit; their files can be chosen again.
api.jobs().then(
  (jobs) => {
    for (const job of jobs.filter((one) => one.state !== "failed" && one.state !== "cancelled").reverse()) {
      if (session.files.some((open) => open.job?.id === job.id)) continue;
      const open = session.add(null, job);
      if (job.state === "done") void loadResults(open);
      else follower.add(open);
    }
  },
  () => undefined,
);
