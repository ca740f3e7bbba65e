import { resolve } from 'node:path';
import { findings, findingText } from '../checks/checks.ts';
import { command } from '../command.ts';
import { lockHolder } from '../lock.ts';
import { wantedStages } from '../pipeline.ts';
import { STAGE_NAMES } from '../stage-names.ts';
import { needsEmbedded } from '../urls.ts';

export const checkCommand = command({
  usage: 'check',
  summary: 'Looks for what would keep the system from running; exits with 1 when there is something.',
  flags: {},
  async run({ options, clock, log, terminal }) {
    const holder = lockHolder(resolve(options.dataDir), ['postgres', ...STAGE_NAMES]);
    if (holder !== null) terminal.line(`It runs already (pid ${holder}).`);
    const startsPostgres = needsEmbedded(options);
    const stages = wantedStages(options);
    const found = await findings({ options, stages, startsPostgres, clock, log, runs: holder !== null });
    for (const finding of found) terminal.line(findingText(finding));
    if (found.length === 0) terminal.line('✓ nothing keeps it from running');
    return found.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
});
