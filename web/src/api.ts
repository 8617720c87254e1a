// Calls of the server. Errors are `ApiError` with the server's problem (RFC 9457).
import type { AttentionWindow, Job, Model, Problem, Report, Track } from "./types";

const TIMEOUT_MS = 20_000;
/** For results: those of an hour have several MB. */
const RESULT_TIMEOUT_MS = 300_000;

export class ApiError extends Error {
  constructor(
    readonly problem: Problem,
    readonly retry_s: number | null = null,
  ) {
    super(problem.detail ?? problem.title);
  }
}

/** The problem in a response; of a page of a proxy its status. */
export function problemOf(status: number, statusText: string, body: string): Problem {
  if (status === 401) return { title: "not signed in", status, detail: "You are not signed in any more. Load the page again and enter the token." };
  try {
    const plain = JSON.parse(body) as Problem;
    if (plain && typeof plain === "object" && "title" in plain) return plain;
  } catch {
    // not JSON
  }
  return { title: statusText || `the server answered ${status}`, status };
}

export const NO_CONNECTION: Problem = {
  title: "no connection",
  status: 0,
  detail: "The server does not answer. Is avtca serve running?",
};

export function problemText(problem: Problem): string {
  return problem.detail || problem.title;
}

export function retryAfter(header: string | null): number | null {
  const seconds = Number(header);
  return header !== null && Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 120) : null;
}

export async function call(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(path, { credentials: "same-origin", signal, ...init });
  } catch {
    throw new ApiError(NO_CONNECTION);
  }
  if (response.ok) return response;
  const problem = problemOf(response.status, response.statusText, await response.text());
  throw new ApiError(problem, retryAfter(response.headers.get("Retry-After")));
}

async function json<T>(path: string): Promise<T> {
  return (await (await call(path)).json()) as T;
}

async function result<T>(path: string): Promise<T> {
  return (await (await call(path, { signal: AbortSignal.timeout(RESULT_TIMEOUT_MS) })).json()) as T;
}

export const models = async () => (await json<{ models: Model[] }>("v1/models")).models;
export const job = (id: string) => json<Job>(`v1/jobs/${id}`);
export const jobs = async () => {
  const found = await json<Job[] | { jobs: Job[] }>("v1/jobs");
  return Array.isArray(found) ? found : found.jobs;
};
export const report = (id: string) => result<Report>(`v1/jobs/${id}/report?format=json`);
export const track = (id: string) => result<Track>(`v1/jobs/${id}/track`);
export const attention = async (id: string) =>
  (await result<{ windows: AttentionWindow[] }>(`v1/jobs/${id}/attention`)).windows;
export const remove = (id: string) => call(`v1/jobs/${id}`, { method: "DELETE" });
export const reportFile = async (id: string, format: string) =>
  (await call(`v1/jobs/${id}/report?format=${format}`)).blob();

/** Offers a file for saving. */
export function save(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
