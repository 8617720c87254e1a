// JSON of the server, see docs/serve.md and docs/output.md.

export type Scores = Record<string, number>;
/** x0, y0, x1, y1 in pixels of the upright frame. */
export type Box = [number, number, number, number];

export interface Model {
  name: string;
  default: boolean;
  /** As `model` of a report. */
  version: string;
  labels: string[];
  window_s: number;
  attention: boolean;
  thresholds: Record<string, number>;
}

/** A person in a window; `person` and `box` are null without a face. */
export interface Row {
  start_s: number;
  end_s: number;
  person: number | null;
  top: string | null;
  /** Empty without a face and a voice. */
  scores: Scores;
  modalities: string[];
  /** Share of the window with this face. */
  face: number;
  /** Share of the window with voice. */
  voice: number;
  box: Box | null;
  /** Share of the window in which this person speaks; null where it is undecided, or without a face. */
  speaking?: number | null;
  /** Newest box, of live results. */
  last_box?: Box | null;
  /** As of a report, of live results. */
  sure?: boolean | null;
  doubts?: string[];
}

/** A stretch of speech by one speaker, see docs/speaker.md. */
export interface Turn {
  start_s: number;
  end_s: number;
  /** Null off screen, and where it is undecided. */
  person: number | null;
  /** Whether the speaker is in view; null where it is undecided. */
  visible: boolean | null;
}

/** What a report and a person of it have in common. */
export interface Verdict {
  top: string;
  confidence: number;
  /** Whether the confidence reaches the threshold; null where there is none. */
  sure: boolean | null;
  sure_from: number | null;
  streams: string;
  scores: Scores;
  doubts?: string[];
}

export interface PersonResult extends Verdict {
  person: number;
  seen_s: number;
  first_s: number;
  last_s: number;
  box: Box | null;
  at_s: number | null;
}

export interface Report extends Verdict {
  file: string;
  timeline: Row[];
  coverage: { read: number; face: number; voice: number };
  warnings: string[];
  model: string;
  duration_s: number;
  /** By input: "both", "face" or "voice". */
  thresholds: Record<string, number>;
  people?: PersonResult[];
  /** Missing in results of earlier versions. */
  speech?: Turn[];
}

export interface FaceTrack {
  person: number;
  time_s: number[];
  box: Box[];
}

export interface Track {
  /** Of the upright frame. */
  width: number;
  height: number;
  step_s: number;
  faces: FaceTrack[];
  waveform: { rate: number; peaks: number[] } | null;
  /** Timestamps of the frames that were read. */
  frames: number[];
}

export interface AttentionMap {
  query: string;
  key: string;
  query_s: number[];
  key_s: number[];
  /** A row for each query, which sums to one. */
  weights: number[][];
}

export interface AttentionWindow {
  start_s: number;
  end_s: number;
  person: number | null;
  /** By "step.query stream", the last step of the network last. */
  maps: Record<string, AttentionMap>;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string;
}

/** Each person, the largest steady face, or the person who speaks. */
export type PersonMode = "all" | "main" | "speaker";
export interface Options {
  model: string;
  person: PersonMode;
  /** Pairs "A=B" of persons who are one. */
  merge: string[];
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  state: JobState;
  name: string;
  done_s: number;
  duration_s: number | null;
  created: string;
  expires: string;
  problem: Problem | null;
  model: string;
  person: PersonMode;
  /** Pairs "A=B" of persons who are one. */
  merge: string[];
}
