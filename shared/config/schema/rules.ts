import { z } from 'zod';
import { faultOfPattern } from '../../re2.ts';
import { positive } from './fields.ts';

/** RE2's message without the part of the pattern that it quotes: the pattern may have come from the environment. */
function linearFault(pattern: string): string | undefined {
  return faultOfPattern(pattern)
    ?.replace(/^error parsing regexp: /, '')
    .replace(/:? *`[\s\S]*$/, '');
}

const denied = z
  .string()
  .min(1)
  .superRefine((pattern, context) => {
    const fault = linearFault(pattern);
    if (fault === undefined) return;
    context.addIssue({ code: 'custom', message: `is not a pattern that RE2 can match (${fault})` });
  });

const host = z
  .string()
  .regex(
    /^(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])$/,
    'must be a host such as example.com, *.example.org, [::1] or *',
  );

const rule = z
  .strictObject({
    deny: z.array(denied).min(1).optional().describe('RE2 patterns; a text in which one is found is refused'),
    root: z
      .string()
      .min(1)
      .optional()
      .describe('Directory that a path must stay under, however it is spelled; absolute for absolute paths'),
    hosts: z.array(host).min(1).optional().describe('Hosts that a URL may have: example.com, *.example.org'),
    schemes: z
      .array(z.string().regex(/^[a-z][a-z0-9+.-]*$/, 'must be a scheme such as https'))
      .min(1)
      .optional()
      .describe('Schemes that a URL with one of `hosts` may have; http and https where none are given'),
    maxLength: positive.optional().describe('Longest text, in characters'),
  })
  .superRefine((given, context) => {
    const { schemes, ...tests } = given;
    if (schemes !== undefined && given.hosts === undefined) {
      context.addIssue({ code: 'custom', path: ['schemes'], message: 'means nothing without hosts' });
    } else if (Object.values(tests).every((one) => one === undefined)) {
      context.addIssue({ code: 'custom', path: [], message: 'needs deny, root, hosts or maxLength' });
    }
  });

/** Rules of one tool, by argument. */
export const argumentRules = z.record(z.string().min(1), rule);
