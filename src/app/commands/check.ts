import { findings, findingText } from '../checks/checks.ts';
import { command } from '../command.ts';
import { wantedStages } from '../pipeline.ts';
import { needsEmbedded } from '../urls.ts';

export const checkCommand = command({
  usage: 'check',
  summary: 'Looks for what would keep the system from running; exits with 1 when there is something.',
  flags: {},
  async run({ options, terminal }) {
    const startsPostgres = needsEmbedded(options);
    const found = await findings({ options, stages: wantedStages(options), startsPostgres });
    for (const finding of found) terminal.line(findingText(finding));
    if (found.length === 0) terminal.line('✓ nothing keeps it from running');
    return found.some(({ severity }) => severity === 'error') ? 1 : 0;
  },
});
