import { GatewayError, reasons } from '../errors.ts';
import type { Reply } from '../mcp/call.ts';
import { createAssembly } from './assembly.ts';
import type { Attempt, RefusedWhy } from './attempt.ts';
import type { Frame } from './frames.ts';
import { readJsonObject } from './json-bytes.ts';
import { busLimits } from './limits.ts';

/** What the frames of a worker do to an attempt. */
export interface AttemptActions {
  accepted(entry: Attempt, instance: string, challenge: string): void;
  refuse(entry: Attempt, why: RefusedWhy, instance: string, retryAfterMs?: number): void;
  answer(entry: Attempt, reply: Reply): void;
  fail(entry: Attempt, error: GatewayError): void;
  /** Tells the process to stop what it runs. */
  stop(entry: Attempt): void;
  /** Lets the process send that many more parts. */
  grant(entry: Attempt, parts: number): void;
}

const partsPerGrant = busLimits.creditParts / 2;

/** Takes the frames of the attempts of one ingress. */
export function createFrameReader(actions: AttemptActions): (entry: Attempt, frame: Frame, body: Uint8Array) => void {
  function beforeStart(entry: Attempt, frame: Frame): void {
    const offering = entry.state === 'offering';
    if (frame.k === 'accepted' && offering) actions.accepted(entry, frame.instance, frame.challenge);
    else if (frame.k === 'busy' && offering) actions.refuse(entry, frame.why, frame.instance, frame.retryAfterMs);
    else if (frame.k === 'expired' && !offering) actions.refuse(entry, 'expired', frame.instance);
  }

  function onNote(entry: Attempt, method: string, body: Uint8Array): void {
    entry.answerBy = Math.min(entry.hardCap, performance.now() + entry.call.timeoutMs + busLimits.answerGraceMs);
    const params = readJsonObject(body);
    if (params !== undefined) entry.options.onNotification({ method, params });
  }

  function onChunk(entry: Attempt, announced: number | undefined, part: Uint8Array): void {
    entry.assembly ??= createAssembly(announced ?? 0);
    if (entry.assembly === undefined || !entry.assembly.add(part)) {
      actions.stop(entry);
      actions.fail(entry, brokenResult());
    } else if (entry.assembly.parts % partsPerGrant === 0) actions.grant(entry, partsPerGrant);
  }

  function onResult(entry: Attempt, frame: Extract<Frame, { k: 'result' }>, body: Uint8Array): void {
    const whole = wholeOf(entry, body);
    if (whole === undefined) {
      actions.fail(entry, brokenResult());
      return;
    }
    actions.answer(entry, {
      kind: 'result',
      resultType: frame.resultType,
      body: whole,
      isError: frame.isError === true,
      instance: entry.instance,
      park: frame.park,
      timing: timing(entry, frame.upstreamMs),
    });
  }

  return (entry, frame, body) => {
    // Nobody can answer a call that no process was told to run.
    if (entry.state !== 'running' || frame.k === 'expired') {
      beforeStart(entry, frame);
      return;
    }
    switch (frame.k) {
      case 'note':
        onNote(entry, frame.method, body);
        return;
      case 'chunk':
        onChunk(entry, frame.of, body);
        return;
      case 'result':
        onResult(entry, frame, body);
        return;
      case 'error':
        actions.answer(entry, {
          kind: 'error',
          error: frame.error,
          instance: entry.instance,
          timing: timing(entry, frame.upstreamMs),
        });
        return;
      case 'failed':
        actions.fail(entry, errorOf(frame));
        return;
      default:
        return;
    }
  };
}

function wholeOf({ assembly }: Attempt, last: Uint8Array): Uint8Array | undefined {
  if (assembly === undefined) return last;
  return assembly.add(last) ? assembly.whole : undefined;
}

function timing(entry: Attempt, upstreamMs: number) {
  return { totalMs: performance.now() - entry.startedAt, upstreamMs };
}

function brokenResult(): GatewayError {
  return new GatewayError('bad_upstream_output', 'the result is too large or did not arrive whole', {
    executed: 'yes',
  });
}

function errorOf(frame: Extract<Frame, { k: 'failed' }>): GatewayError {
  const reason = Object.hasOwn(reasons, frame.reason) ? frame.reason : 'upstream_lost';
  return new GatewayError(reason, frame.message, {
    executed: frame.executed,
    upstreamMs: frame.upstreamMs,
    ...(frame.retryAfterMs === undefined ? {} : { retryAfterMs: frame.retryAfterMs }),
  });
}
