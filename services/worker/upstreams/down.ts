import { GatewayError, OperatorError } from '../../../shared/errors.ts';
import { statusOf } from './http-refusal.ts';
import { clean } from './text-tail.ts';

export interface Trouble {
  readonly error: string;
  readonly hint?: string | undefined;
}

const maxErrorLength = 500;

/** Why an upstream is down, in words for operators: no secret, no text of a response, at most 500 characters. */
export function describeTrouble(error: unknown, stderr = ''): Trouble {
  const status = statusOf(error);
  const hint = hintFor(error, status);
  const message = error instanceof Error ? error.message : 'unknown error';
  const cause = error instanceof GatewayError && error.cause instanceof Error ? causeText(error.cause) : '';
  const text = clean(`${message}${cause === '' ? '' : ` (${cause})`}`);
  const tail = stderr === '' ? '' : `: ${stderr.slice(-(maxErrorLength - text.length - 2))}`;
  return { error: `${text}${tail}`.slice(0, maxErrorLength), ...(hint !== undefined && { hint }) };
}

function causeText(cause: Error): string {
  if ('code' in cause && typeof cause.code === 'string') return cause.code;
  return cause.name === 'Error' || cause.name === 'HttpStatus' ? cause.message.slice(0, 200) : cause.name;
}

function hintFor(error: unknown, status: number | undefined): string | undefined {
  if (error instanceof OperatorError) return error.hint;
  if (status === 401 || status === 403) return 'check the `headers` or the `auth` of this server in the config';
  if (status === 404) return 'check the path of the `url`';
  return undefined;
}
