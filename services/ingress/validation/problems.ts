import { cleanText } from '../catalog/clean-text.ts';
import type { EngineProblem } from './instantiate.ts';
import { pointerStep } from './rules/targets.ts';

/** Problems in words that a model can act on: a JSON pointer, then what is wrong there. */

const maxLine = 300;
const maxText = 4_000;

/** One line for each problem, without repetitions. Engine messages quote the schema, so they are cleaned and cut. */
export function problemLines(problems: readonly EngineProblem[]): string[] {
  return [
    ...new Set(problems.map((problem) => cut(cleanText(`${pointerOf(problem)}: ${reasonOf(problem)}`), maxLine))),
  ];
}

/** The text of a refusal: a first line, then one for each problem. */
export function refusalText(first: string, lines: readonly string[]): string {
  return cut([first, ...lines.map((line) => `- ${line}`)].join('\n'), maxText);
}

function pointerOf({ instancePath, params }: EngineProblem): string {
  const member = memberOf(params);
  const pointer = member === undefined ? instancePath : `${instancePath}/${pointerStep(member)}`;
  return pointer === '' ? 'the arguments' : pointer;
}

function memberOf(params: EngineProblem['params']): string | undefined {
  for (const name of ['missingProperty', 'additionalProperty', 'unevaluatedProperty', 'propertyName'] as const) {
    const member = params[name];
    if (typeof member === 'string') return member;
  }
  return undefined;
}

function reasonOf({ keyword, params, message }: EngineProblem): string {
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
    case 'dependencies':
      return 'is required';
    case 'additionalProperties':
    case 'unevaluatedProperties':
    case 'false schema':
      return 'is not allowed';
    case 'enum':
      return `must be one of ${JSON.stringify(params.allowedValues ?? [])}`;
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue) ?? 'the constant of the schema'}`;
    default:
      return message ?? 'is not valid';
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
