// Help and docs/config.md, made of what options and commands declare.
import { flagName, type Option, type OptionSet, shownDefault, variableName } from './option.ts';

const WIDTH = 28;

const describe = (option: Option<unknown>): string =>
  option.isSwitch ? option.description : `${option.description} [${shownDefault(option)}]`;

/** One line per option for the terminal. */
export const optionLines = (set: OptionSet): string[] =>
  Object.entries(set).map(([name, option]) => {
    const unit = option.isSwitch ? '' : ` <${option.secret ? 'url' : option.unit}>`;
    return `  ${`--${flagName(name)}${unit}`.padEnd(WIDTH)}  ${describe(option)}`;
  });

/** docs/config.md. */
export function configPage(set: OptionSet): string {
  const cell = (value: string): string => value.replaceAll('|', '\\|');
  const rows = Object.entries(set).map(([name, option]) => {
    const cells = [
      `\`--${flagName(name)}\``,
      `\`${variableName(name)}\``,
      cell(option.isSwitch ? '' : option.unit),
      cell(option.isSwitch ? 'no' : shownDefault(option)),
      cell(option.description),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return `# Configuration

Made from \`src/app/options.ts\` by \`npm run docs\`; a test keeps it current. A flag wins over its variable.
Give connection strings by the environment: arguments can be read by every user of the machine.

| flag | variable | value | default | what it does |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
