import type { Agent } from './agent.ts';
import { type Answer, jsonText } from './answer.ts';
import type { Outcome, WindowJob } from './job.ts';
import { type Meter, startMeter } from './meter.ts';
import type { CallRequest } from './request.ts';

type JobOf<K extends WindowJob['kind']> = Extract<WindowJob, { kind: K }>;

/** Runs a closed loop: as many calls in flight as there are agents. */
export function runClosed(job: JobOf<'closed'>, agents: readonly Agent[]): Promise<Outcome> {
  const meter = startMeter(job.window);
  for (const agent of agents) {
    const call = agent.requests.call(job.work);
    const next = (): void => {
      if (!meter.running) return;
      meter.begin();
      sendOne(agent, call, performance.now(), meter, next);
    };
    next();
  }
  return meter.closed;
}

/** Runs an open loop: due calls start on idle agents, and wait when there is none. */
export async function runOpen(job: JobOf<'open'>, agents: readonly Agent[]): Promise<Outcome> {
  const idle = agents.map((agent) => ({ agent, call: agent.requests.call(job.work) }));
  const meter = startMeter(job.window);
  const interval = 1000 / job.perSecond;
  const waiting: number[] = [];
  let due = performance.now() + interval;

  const sendWaiting = (): void => {
    while (waiting.length > 0) {
      const free = idle.pop();
      if (free === undefined) return;
      sendOne(free.agent, free.call, waiting.shift()!, meter, () => {
        idle.push(free);
        sendWaiting();
      });
    }
  };
  const timer = setInterval(() => {
    const now = performance.now();
    for (; meter.running && due <= now; due += interval) {
      meter.begin();
      waiting.push(due);
    }
    sendWaiting();
  }, 1);

  const outcome = await meter.closed;
  clearInterval(timer);
  return outcome;
}

function sendOne(agent: Agent, call: CallRequest, start: number, meter: Meter, then: () => void): void {
  const { bytes, id } = call.next();
  agent.connection.send(bytes, (answer) => {
    if (answer instanceof Error) {
      // A broken connection sends no more; what it leaves unanswered shows as missing throughput and as this fault.
      meter.end(start, answer.message);
      return;
    }
    meter.end(start, call.fault(answer, id));
    then();
  });
}

/** Lists tools with one agent; each sample is a whole list, however many pages it has. */
export async function runList(job: JobOf<'list'>, agent: Agent): Promise<Outcome> {
  const meter = startMeter(job.window);
  while (meter.running) await listOnce(agent, job.tools, meter);
  return meter.closed;
}

async function listOnce(agent: Agent, expected: number, meter: Meter): Promise<void> {
  const pages: Answer[] = [];
  let cursor: string | undefined;
  const start = performance.now();
  meter.begin();
  do {
    const page = await agent.connection.ask(agent.requests.list(cursor));
    pages.push(page);
    cursor = cursorOf(page);
  } while (cursor !== undefined && pages.length < 100);

  const answered = performance.now();

  const found = pages.reduce((sum, page) => sum + toolsOf(page), 0);
  meter.end(start, found === expected ? undefined : `${found} tools instead of ${expected}`, answered);
}

function cursorOf(page: Answer): string | undefined {
  const text = jsonText(page);
  // Only the ends are looked at: within the list itself the word would be part of a tool's definition.
  const ends = `${text.toString('latin1', 0, 2048)}${text.subarray(-2048).toString('latin1')}`;
  return /"nextCursor":"([^"]+)"/.exec(ends)?.[1];
}

function toolsOf(page: Answer): number {
  if (page.status !== 200) return 0;
  const message: { result?: { tools?: unknown[] } } = JSON.parse(jsonText(page).toString('utf8'));
  return message.result?.tools?.length ?? 0;
}
