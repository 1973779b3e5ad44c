import { z } from 'zod';

export const security = z
  .strictObject({
    unpinnedPackages: z
      .enum(['warn', 'refuse'])
      .default('warn')
      .describe(
        'What a server is that would fetch whatever version of a package is newest, such as `npx -y name`: a warning, or a mistake of this file',
      ),
  })
  .prefault({})
  .describe('How strict toolbus is with this file');
