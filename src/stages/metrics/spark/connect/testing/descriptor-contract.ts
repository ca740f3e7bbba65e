import { type DescField, type DescFile, type DescMethod, ScalarType } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import type { ProtoContract } from './proto-text.ts';

/** What generated code puts on the wire, written as `protoContract` writes it. */
export function descriptorContract(file: DescFile): ProtoContract {
  const lines = new Map<string, readonly string[]>();
  for (const type of nestedTypes(file)) {
    if (type.kind === 'message') lines.set(type.typeName, type.fields.map(fieldLine));
    if (type.kind === 'service') lines.set(type.typeName, type.methods.map(callLine));
    if (type.kind === 'enum') {
      const values = type.values.map(({ name, number }) => `${name} = ${number}`);
      lines.set(type.typeName, values);
    }
  }
  return lines;
}

function fieldLine(field: DescField): string {
  const label = field.fieldKind === 'list' ? 'repeated' : field.proto.proto3Optional ? 'optional' : '';
  const oneof = field.oneof === undefined ? '' : `in ${field.oneof.name}`;
  const text = [label, typeOf(field), oneof].filter((part) => part !== '').join(' ');
  return `${field.name} = ${field.number}: ${text}`;
}

function typeOf(field: DescField): string {
  const type = field.message?.typeName ?? field.enum?.typeName ?? scalar(field.scalar!);
  return field.fieldKind === 'map' ? `map<${scalar(field.mapKey)}, ${type}>` : type;
}

const scalar = (type: ScalarType): string => ScalarType[type].toLowerCase();

function callLine({ name, input, output, methodKind }: DescMethod): string {
  const [asked, answered] = [/^(client|bidi)_/, /^(server|bidi)_/].map((streaming) =>
    streaming.test(methodKind) ? 'stream ' : '',
  );
  return `${name}(${asked}${input.name}) returns (${answered}${output.name})`;
}
