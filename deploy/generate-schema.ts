// Writes config.schema.json beside this file: node --import tsx deploy/generate-schema.ts
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../shared/config/json-schema.ts';

writeFileSync(new URL('config.schema.json', import.meta.url), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
