import { exitCode, OperatorError } from '../../../shared/errors.ts';

const codeNames: Readonly<Record<number, string>> = {
  [exitCode.unexpected]: 'unexpected',
  [exitCode.usage]: 'usage',
  [exitCode.unauthorized]: 'unauthorized',
  [exitCode.unreachable]: 'unreachable',
  [exitCode.toolFailed]: 'tool_failed',
  [exitCode.difference]: 'difference',
};

/** Says on stderr what went wrong: a sentence and what to do next, or one JSON line. A stack only for what nobody expected. */
export function printFailure(error: unknown, json: boolean): void {
  const operator = error instanceof OperatorError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (json) {
    const code = codeNames[operator?.code ?? exitCode.unexpected];
    process.stderr.write(`${JSON.stringify({ error: { code, message, hint: operator?.hint } })}\n`);
    return;
  }
  process.stderr.write(`toolbus: ${message}\n`);
  if (operator?.hint !== undefined) process.stderr.write(`  hint: ${operator.hint}\n`);
  if (operator === undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}
