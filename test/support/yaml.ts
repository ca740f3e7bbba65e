// As much YAML as ops/compose.yaml uses: maps and lists of scalars by indentation, one anchor, one merge. Anything else
// is a fault, so that nothing is read wrongly.
export type Yaml = string | Yaml[] | { [name: string]: Yaml };

interface Line {
  readonly indent: number;
  readonly text: string;
  readonly number: number;
}

export function parseYaml(source: string): Yaml {
  const lines = source.split('\n').flatMap((text, index): Line[] => {
    const trimmed = text.trim();
    if (trimmed === '' || trimmed.startsWith('#')) return [];
    return [{ indent: text.length - text.trimStart().length, text: trimmed, number: index + 1 }];
  });
  const anchors = new Map<string, Yaml>();
  let at = 0;

  const block = (indent: number): Yaml => (lines[at]!.text.startsWith('- ') ? list(indent) : map(indent));

  const list = (indent: number): Yaml[] => {
    const items: Yaml[] = [];
    while (at < lines.length && lines[at]!.indent === indent && lines[at]!.text.startsWith('- ')) {
      items.push(scalar(lines[at]!.text.slice(2), lines[at]!.number));
      at++;
    }
    return items;
  };

  const map = (indent: number): { [name: string]: Yaml } => {
    const found: { [name: string]: Yaml } = {};
    const own = new Set<string>();
    while (at < lines.length && lines[at]!.indent === indent) {
      const { text, number } = lines[at++]!;
      const [, name, rest] = /^([\w.<-]+):(?: (.*))?$/.exec(text) ?? [];
      if (name === undefined) throw new Error(`line ${number}: ${text}`);
      if (name === '<<') {
        const merged = anchors.get(rest!.slice(1));
        if (merged === undefined) throw new Error(`line ${number}: no anchor ${rest}`);
        Object.assign(found, merged);
        continue;
      }
      if (own.has(name)) throw new Error(`line ${number}: ${name} twice`);
      own.add(name);
      const anchor = /^&([\w-]+)$/.exec(rest ?? '')?.[1];
      const isBlock = (rest === undefined || anchor !== undefined) && (lines[at]?.indent ?? 0) > indent;
      found[name] = isBlock ? block(lines[at]!.indent) : scalar(rest ?? '', number);
      if (anchor !== undefined) anchors.set(anchor, found[name]);
    }
    return found;
  };

  const scalar = (text: string, number: number): Yaml => {
    if (text === '{}') return {};
    const quoted = /^"([^"\\]*)"$/.exec(text);
    if (quoted) return quoted[1]!;
    if (/^["'[{&*!|>%@`]|: | #/.test(text)) throw new Error(`line ${number}: ${text}`);
    return text;
  };

  const whole = map(0);
  if (at < lines.length) throw new Error(`line ${lines[at]!.number}: wrong indentation`);
  return whole;
}
