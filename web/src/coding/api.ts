// Calls of /v1/coding.
import { call, reportFile } from "../api";
import type { OpenFile } from "../session";
import type { Report } from "../types";
import type { Coding, Tier } from "./doc";

export interface LabelAgreement {
  kappa: number | null;
  first_s: number;
  second_s: number;
  both_s: number;
}

export interface Agreement {
  kappa: number | null;
  per_label: Record<string, LabelAgreement>;
  agreed_s: number;
  compared_s: number;
}

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

export const exportCoding = async (coding: Coding, format: string) =>
  (await call(`v1/coding/export?format=${format}`, json(coding))).blob();

export async function importCoding(file: Blob, name: string): Promise<Coding> {
  const body = new FormData();
  body.append("file", file, name);
  return (await (await call("v1/coding/import", { method: "POST", body })).json()) as Coding;
}

export const agreement = async (first: Tier, second: Tier) =>
  (await (await call("v1/coding/agreement", json({ first, second }))).json()) as Agreement;

const machine = new WeakMap<Report, Promise<Tier[]>>();

/** The segments of the report: a tier for each person, or for the audio. */
export function machineTiers(open: OpenFile): Promise<Tier[]> {
  const { report, job } = open;
  if (!report || !job) return Promise.resolve([]);
  let tiers = machine.get(report);
  if (!tiers) {
    tiers = reportFile(job.id, "eaf").then(async (file) => (await importCoding(file, "report.eaf")).tiers);
    tiers.catch(() => machine.delete(report));
    machine.set(report, tiers);
  }
  return tiers;
}
