/**
 * Runs the MCP conformance suite against an endpoint.
 *
 *     node --import tsx test/conformance/run.ts URL 2026-07-28 [--json FILE]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { runSuite } from './suite.ts';

export type Requirements = '2026-07-28' | '2025-11-25';

/** How many scenarios of each revision's set are scored; fewer would mean that the suite had not run them. */
export const scoredScenarios: Readonly<Record<Requirements, number>> = { '2026-07-28': 37, '2025-11-25': 30 };

export interface ScenarioResult {
  readonly name: string;
  /** Extensions and pending scenarios are run and reported, not scored. */
  readonly scored: boolean;
  readonly passed: number;
  readonly failed: number;
  /** One line for each check that failed. */
  readonly failures: readonly string[];
}

export interface ConformanceResult {
  readonly url: string;
  readonly requirements: Requirements;
  readonly exitCode: number;
  readonly scenarios: readonly ScenarioResult[];
}

/** Runs every scenario that the revision requires. Rejects only when the suite itself could not run. */
export async function runConformance(url: string, requirements: Requirements): Promise<ConformanceResult> {
  const out = mkdtempSync(join(tmpdir(), 'toolbus-conformance-'));
  try {
    const { code, text } = await runSuite(['server', '--url', url, '--requirements', requirements, '-o', out], 240_000);
    const scenarios = parseSummary(text, (name) => failuresOf(out, name));
    if (scenarios.length === 0) throw new Error(`the conformance suite did not run:\n${text.slice(-2000)}`);
    return { url, requirements, exitCode: code, scenarios };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Reads the lines below `=== SUMMARY ===` and those that name what is not scored. */
export function parseSummary(text: string, failures: (name: string) => string[] = () => []): ScenarioResult[] {
  const summary = text.slice(text.lastIndexOf('=== SUMMARY ==='));
  const notScored = new Set(Array.from(summary.matchAll(/^ {2}[✓✗] (\S+) \(.+\)$/gm), (match) => match[1]));
  return Array.from(summary.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gm), ([, name = '', passed, failed]) => ({
    name,
    scored: !notScored.has(name),
    passed: Number(passed),
    failed: Number(failed),
    failures: Number(failed) > 0 ? failures(name) : [],
  }));
}

interface Check {
  readonly id: string;
  readonly status: string;
  readonly errorMessage?: string;
}

function failuresOf(out: string, scenario: string): string[] {
  // Folders are named server-SCENARIO-TIME.
  const folder = readdirSync(out).find((entry) => entry.startsWith(`server-${scenario}-2`));
  if (!folder) return [];
  const checks = JSON.parse(readFileSync(join(out, folder, 'checks.json'), 'utf8')) as Check[];
  return checks
    .filter(({ status }) => status === 'FAILURE')
    .map(({ id, errorMessage }) => `${scenario}: ${id}: ${errorMessage ?? 'failed'}`);
}

async function main(): Promise<void> {
  const [url, requirements] = argv.slice(2);
  if (!url || (requirements !== '2026-07-28' && requirements !== '2025-11-25')) {
    process.stderr.write('usage: run.ts URL 2026-07-28|2025-11-25 [--json FILE]\n');
    process.exitCode = 2;
    return;
  }
  const result = await runConformance(url, requirements);
  const scored = result.scenarios.filter((scenario) => scenario.scored);
  const passed = scored.filter((scenario) => scenario.failed === 0);
  for (const failure of result.scenarios.flatMap((scenario) => scenario.failures)) process.stdout.write(`${failure}\n`);
  process.stdout.write(`${passed.length}/${scored.length} scored scenarios of ${requirements}\n`);
  const file = argv[argv.indexOf('--json') + 1];
  if (argv.includes('--json') && file) writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  process.exitCode = result.exitCode;
}

if (argv[1] === fileURLToPath(import.meta.url)) await main();
