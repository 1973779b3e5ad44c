import { exitCode, OperatorError } from '../../../shared/errors.ts';

/** The way of a call, in its order. */
export type StepName = 'config' | 'nats' | 'worker' | 'upstream' | 'discovery' | 'auth';

/** What was found at one step. */
export interface Step {
  readonly step: StepName;
  readonly server?: string | undefined;
  readonly status: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  /** What to do next. */
  readonly hint?: string | undefined;
  /** Exit code of the command when this is the broken one. */
  readonly code?: number | undefined;
}

/** Takes in what was found; `failed` ends the walk of that server. */
export type Report = (step: Step) => void;

/** A step that threw. */
export function failedStep(step: StepName, error: unknown, server?: string): Step {
  const operator = error instanceof OperatorError ? error : undefined;
  return {
    step,
    server,
    status: 'failed',
    detail: error instanceof Error ? error.message : String(error),
    hint: operator?.hint,
    code: operator?.code ?? exitCode.unexpected,
  };
}
