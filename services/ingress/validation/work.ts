import { LRUCache } from 'lru-cache';
import { generateValidator } from './generate.ts';
import { instantiate, type Validate } from './instantiate.ts';
import { type HashedSchema, type Job, type JobResult, maxProblems } from './jobs.ts';
import { relaxSchema } from './relax.ts';
import { judge } from './rules/judge.ts';
import { compileRules } from './rules/rule.ts';

const maxKept = 200;

/** Does the jobs of the thread. Nothing here may be trusted to end: whoever runs it has a clock. */
export function createWork(): (job: Job) => JobResult {
  const explainers = new LRUCache<string, Validate>({ max: maxKept });

  const explainer = ({ hash, dialect, schema }: HashedSchema): Validate => {
    const kept = explainers.get(hash);
    if (kept !== undefined) return kept;
    const made = instantiate(generateValidator(relaxSchema(schema, dialect).schema, dialect, true));
    explainers.set(hash, made);
    return made;
  };
  const perform = (job: Job): JobResult => {
    switch (job.kind) {
      case 'compile': {
        const { dialect, schema } = job.schema;
        const relaxed = relaxSchema(schema, dialect);
        const code = generateValidator(relaxed.schema, dialect, false);
        const begun = performance.now();
        instantiate(code);
        return { kind: 'compiled', code, unenforced: relaxed.unenforced, patternsMs: performance.now() - begun };
      }
      case 'explain': {
        const validate = explainer(job.schema);
        const valid = validate(job.value);
        const problems = (valid ? [] : (validate.errors ?? [])).slice(0, maxProblems);
        return { kind: 'explained', problems: problems.map(plain) };
      }
      case 'rules':
        return { kind: 'judged', violations: judge(compileRules(job.rules), job.value) };
      default:
        return job satisfies never;
    }
  };
  return (job) => {
    try {
      return perform(job);
    } catch (error) {
      return { kind: 'failed', why: error instanceof Error ? error.message : 'it cannot be compiled' };
    }
  };
}

/** Without what the engine adds, some of which cannot be copied to another thread. */
function plain({ instancePath, keyword, params, message }: NonNullable<Validate['errors']>[number]) {
  const text = JSON.stringify(params);
  const small: Record<string, unknown> = text.length > 2_000 ? {} : params;
  return { instancePath, keyword, params: small, ...(message === undefined ? {} : { message }) };
}
