import { command } from '../command.ts';
import { VERSION } from '../version.ts';

export const versionCommand = command({
  usage: 'version',
  summary: 'Prints the version.',
  flags: {},
  async run({ terminal }) {
    terminal.line(`instashop ${VERSION} on Node ${process.versions.node}`);
    return 0;
  },
});
