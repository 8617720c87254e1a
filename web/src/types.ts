// JSON of the server, see docs/serve.md and docs/output.md.

export type Scores = Record<string, number>;

export interface Model {
  name: string;
  default: boolean;
  labels: string[];
  window_s: number;
  attention: boolean;
  thresholds: Record<string, number>;
}

export interface Row {
  start_s: number;
  end_s: number;
  person: number;
  top: string;
  scores: Scores;
  modalities: string[];
  /** Share of the window with this face. */
  face: number;
  /** Share of the window with voice. */
  voice: number;
  box: [number, number, number, number] | null;
}

interface Verdict {
  top: string;
  confidence: number;
  sure: boolean;
  /** Confidence threshold; null where there is none. */
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
  box: [number, number, number, number] | null;
  at_s: number | null;
}

export interface Report extends Verdict {
  file: string;
  timeline: Row[];
  coverage: { read: number; face: number; voice: number };
  warnings: string[];
  model: string;
  duration_s: number;
  thresholds: Record<string, number>;
  people?: PersonResult[];
}

export interface FaceTrack {
  person: number;
  time_s: number[];
  box: [number, number, number, number][];
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
  query_s: number[];
  key_s: number[];
  weights: number[][];
}

export interface AttentionWindow {
  start_s: number;
  end_s: number;
  person: number;
  maps: Record<string, AttentionMap>;
}

export interface Problem {
  type?: string;
  title: string;
  status: number;
  detail?: string;
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
}
