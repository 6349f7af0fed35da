/** A field of the form: a label, what is entered, and a sentence about it. */
import type { ComponentChildren, JSX } from "preact";
import { written, type Config } from "./question.ts";

export interface FormProps {
  config: Config;
  change: (config: Config) => void;
}

interface FieldProps {
  name: string;
  label: string;
  about?: string | undefined;
  children: ComponentChildren;
}

function Field({ name, label, about, children }: FieldProps): JSX.Element {
  return (
    <div class="field">
      <label for={name}>{label}</label>
      {children}
      {about === undefined ? null : (
        <p class="hint" id={`${name}-about`}>
          {about}
        </p>
      )}
    </div>
  );
}

/** Returns a config with another value of a field; "" removes it. */
export function withField(config: Config, name: string, value: unknown): Config {
  const { [name]: _old, ...rest } = config;
  return value === "" ? rest : { ...rest, [name]: value };
}

/** A field with a text; the placeholder is what holds if it is empty. */
export function TextField({
  config,
  change,
  name,
  label,
  about,
  placeholder,
}: FormProps & { name: string; label: string; about?: string; placeholder: string }): JSX.Element {
  return (
    <Field name={name} label={label} about={about}>
      <input
        id={name}
        value={written(config[name] ?? "")}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        aria-describedby={about === undefined ? undefined : `${name}-about`}
        onInput={({ currentTarget }) => change(withField(config, name, currentTarget.value.trim()))}
      />
    </Field>
  );
}

/** A field with choices, each with what it does; the first one, without a value, is the default. */
export function ChoiceField({
  config,
  change,
  name,
  label,
  choices,
  standard,
}: FormProps & {
  name: string;
  label: string;
  choices: Readonly<Record<string, string>>;
  standard: string;
}): JSX.Element {
  const value = written(config[name] ?? "");
  const known = value === "" || Object.hasOwn(choices, value);
  const about = choices[value === "" ? standard : value];
  return (
    <Field name={name} label={label} about={about}>
      <select
        id={name}
        value={value}
        aria-describedby={about === undefined ? undefined : `${name}-about`}
        onChange={({ currentTarget }) => change(withField(config, name, currentTarget.value))}
      >
        <option value="">{`${standard} (default)`}</option>
        {known ? null : <option value={value}>{value}</option>}
        {Object.keys(choices)
          .filter((choice) => choice !== standard)
          .map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
      </select>
    </Field>
  );
}
