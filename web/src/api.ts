// Calls of the server. Errors are `ApiError` with the server's problem (RFC 9457).
import type { AttentionWindow, Job, Model, Problem, Report, Track } from "./types";

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail ?? problem.title);
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const text = await response.text();
  try {
    const plain = JSON.parse(text) as Problem;
    if (plain && typeof plain === "object" && "title" in plain) return plain;
  } catch {
    // not JSON: a proxy's page
  }
  return { title: response.statusText || "the server refused", status: response.status };
}

export async function call(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init });
  } catch {
    throw new ApiError({ title: "no connection", status: 0, detail: "The server does not answer; is avtca serve running?" });
  }
  if (!response.ok) throw new ApiError(await problemOf(response));
  return response;
}

async function json<T>(path: string): Promise<T> {
  return (await (await call(path)).json()) as T;
}

export const models = async () => (await json<{ models: Model[] }>("v1/models")).models;
export const job = (id: string) => json<Job>(`v1/jobs/${id}`);
export const report = (id: string) => json<Report>(`v1/jobs/${id}/report?format=json`);
export const track = (id: string) => json<Track>(`v1/jobs/${id}/track`);
export const attention = (id: string) => json<AttentionWindow[]>(`v1/jobs/${id}/attention`);
export const cancel = (id: string) => call(`v1/jobs/${id}`, { method: "DELETE" });
export const reportFile = async (id: string, format: string) =>
  (await call(`v1/jobs/${id}/report?format=${format}`)).blob();
