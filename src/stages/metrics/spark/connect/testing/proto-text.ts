// Reads what .proto files say of the wire: of each message its fields, of each enum its values, of each service its
// calls. Options, comments and reserved numbers are skipped; syntax this does not know is a fault.

/** `spark.connect.Read.DataSource` → its lines: `format = 1: optional string`, `path = 11: string in <oneof>`. */
export type ProtoContract = ReadonlyMap<string, readonly string[]>;

const SCALARS = new Set(
  'double float int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 bool string bytes'.split(
    ' ',
  ),
);
const TOKEN = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.]+|-?\d+|[{}<>()[\];=,]/g;

interface Member {
  readonly scope: string;
  readonly name: string;
  readonly number: string;
  readonly label: string;
  /** As written; the second of a map. */
  readonly types: readonly string[];
  readonly oneof: string | null;
}

/** The contract of these files taken together. */
export function protoContract(sources: readonly string[]): ProtoContract {
  const members: Member[] = [];
  const lines = new Map<string, string[]>();
  for (const source of sources) new Reader(source, members, lines).file();
  for (const { scope, name, number, label, types, oneof } of members) {
    const full = types.map((type) => resolve(type, scope, lines));
    const type = full.length === 2 ? `map<${full.join(', ')}>` : full[0]!;
    const text = [label, type, oneof === null ? '' : `in ${oneof}`].filter((part) => part !== '').join(' ');
    lines.get(scope)!.push(`${name} = ${number}: ${text}`);
  }
  return lines;
}

/** A type by its full name: what is written may lean on any scope around it, the nearest first. */
function resolve(type: string, scope: string, known: ReadonlyMap<string, unknown>): string {
  if (SCALARS.has(type)) return type;
  for (let around = scope; around !== ''; around = around.slice(0, Math.max(0, around.lastIndexOf('.')))) {
    if (known.has(`${around}.${type}`)) return `${around}.${type}`;
  }
  return type;
}

class Reader {
  readonly #tokens: readonly string[];
  readonly #members: Member[];
  readonly #lines: Map<string, string[]>;
  #at = 0;

  constructor(source: string, members: Member[], lines: Map<string, string[]>) {
    this.#tokens = source.match(TOKEN)!.filter((token) => !/^\/[/*]/.test(token));
    this.#members = members;
    this.#lines = lines;
  }

  file(): void {
    let scope = '';
    while (this.#at < this.#tokens.length) {
      const word = this.#next();
      if (word === 'package') scope = this.#next();
      if (word === 'message') this.#message(scope);
      else if (word === 'enum') this.#enum(scope);
      else if (word === 'service') this.#service(scope);
      else this.#skipTo(';');
    }
  }

  #message(outer: string): void {
    const scope = `${outer}.${this.#next()}`;
    this.#lines.set(scope, []);
    this.#expect('{');
    this.#fields(scope, null);
  }

  #fields(scope: string, oneof: string | null): void {
    for (let word = this.#next(); word !== '}'; word = this.#next()) {
      if (word === 'message') this.#message(scope);
      else if (word === 'enum') this.#enum(scope);
      else if (word === 'oneof') {
        const name = this.#next();
        this.#expect('{');
        this.#fields(scope, name);
      } else if (word === 'option' || word === 'reserved') this.#skipTo(';');
      else if (word !== ';') this.#field(scope, oneof, word);
    }
  }

  #field(scope: string, oneof: string | null, first: string): void {
    const label = first === 'optional' || first === 'repeated' ? first : '';
    let type = label === '' ? first : this.#next();
    const types = [type];
    if (type === 'map') {
      this.#expect('<');
      type = this.#next();
      this.#expect(',');
      types.splice(0, 1, type, this.#next());
      this.#expect('>');
    }
    const name = this.#next();
    this.#expect('=');
    this.#members.push({ scope, name, number: this.#next(), label, types, oneof });
    this.#skipTo(';');
  }

  #enum(outer: string): void {
    const scope = `${outer}.${this.#next()}`;
    const values: string[] = [];
    this.#lines.set(scope, values);
    this.#expect('{');
    for (let name = this.#next(); name !== '}'; name = this.#next()) {
      if (name !== 'option' && name !== 'reserved') {
        this.#expect('=');
        values.push(`${name} = ${this.#next()}`);
      }
      this.#skipTo(';');
    }
  }

  #service(outer: string): void {
    const scope = `${outer}.${this.#next()}`;
    const calls: string[] = [];
    this.#lines.set(scope, calls);
    this.#expect('{');
    for (let word = this.#next(); word !== '}'; word = this.#next()) {
      if (word !== 'rpc') throw new Error(`${scope}: ${word}`);
      const name = this.#next();
      const input = this.#types();
      this.#expect('returns');
      calls.push(`${name}(${input}) returns (${this.#types()})`);
      if (this.#next() === '{') this.#expect('}');
    }
  }

  /** `(stream Type)` without its brackets. */
  #types(): string {
    this.#expect('(');
    const words: string[] = [];
    for (let word = this.#next(); word !== ')'; word = this.#next()) words.push(word);
    return words.join(' ');
  }

  #next(): string {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new Error('the file ends too early');
    return token;
  }

  #expect(wanted: string): void {
    const found = this.#next();
    if (found !== wanted)
      throw new Error(`${found} where ${wanted} should stand, after ${this.#tokens[this.#at - 2]}`);
  }

  #skipTo(wanted: string): void {
    while (this.#next() !== wanted);
  }
}
