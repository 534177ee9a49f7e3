"""Sentences that come from elsewhere and are said by the command line: click, pydantic, tomllib, the system.

`{place}` stands for what changes; where it is called `message` or `hint`, what stands there is a sentence of its own.
"""

CLICK = (
    "Show this message and exit.",
    "Missing command.",
    "Invalid value: {message}",
    "Invalid value for {param}: {message}",
    "Missing argument {param}.",
    "Missing option {param}.",
    "Missing option {param}. {hint}",
    "Missing argument {param}. {hint}",
    "Choose from:\n\t{choices}",
    "No such option {name}.",
    "No such command {name}.",
    "{message} Did you mean {possibility}?",
    "{message} (Did you mean one of: {possibilities}?)",
    "Got unexpected extra argument ({args})",
    "Got unexpected extra arguments ({args})",
    "Option {name} requires an argument.",
    "Option {name} does not take a value.",
    "{value} is not one of {choices}.",
    "{value} is not one of {choices}",
    "{value} is not a valid {kind}.",
    "{value} is not in the range {range}.",
)

SETTINGS = (
    "no such setting",
    "no such zone is known",
    "Correct it; `tocsin config show --example` prints every setting with its meaning.",
    "Field required",
    "Value error, {message}",
    'a length of time is written as "30s", "10m", "72h" or "5d"',
    "a plan begins with day 1",
    "a plan says how many letters from which day on: { 1 = 50, 2 = 100, 14 = 0 }",
    "Input should be {expected}",
    "Input should be a valid string",
    "Input should be a valid number",
    "Input should be a valid number, unable to parse string as a number",
    "Input should be a valid integer",
    "Input should be a valid integer, unable to parse string as an integer",
    "Input should be a valid boolean",
    "Input should be a valid boolean, unable to interpret input",
    "Input should be a valid list",
    "Input should be a valid dictionary",
    "Input should be a valid dictionary or instance of {name}",
    "Input should be greater than or equal to {limit}",
    "Input should be less than or equal to {limit}",
    "String should have at least {count} character",
    "String should have at least {count} characters",
)

TOML = (
    "{message} (at line {line}, column {column})",
    "{message} (at end of document)",
    "Invalid value",
    "Invalid statement",
    "Invalid initial character for a key part",
    "Expected '=' after a key in a key/value pair",
    "Expected newline or end of document after a statement",
    "Expected ']' at the end of a table declaration",
    "Expected ']]' at the end of an array declaration",
    "Cannot overwrite a value",
    "Cannot declare {name} twice",
    "Unterminated string",
    "Unclosed array",
    "Unclosed inline table",
    "Illegal character {character}",
    "Unescaped '\\' in a string",
)

SYSTEM = (
    "[Errno {number}] {message}: {file}",
    "[Errno {number}] {message}",
    "Permission denied",
    "No such file or directory",
    "Not a directory",
    "Is a directory",
    "Read-only file system",
    "No space left on device",
    "Disk quota exceeded",
    "Connection refused",
    "Network is unreachable",
    "No route to host",
    "Connection timed out",
    "Connection reset by peer",
)

STORE = ("suppression", "exclusion", "any wave", "there are: {names}", "there is none yet", "sending")

RELAYS = ("{program} is not a program that can be run",)

ADDRESSES = (
    "{network} has host bits set",
    "{text} does not appear to be an IPv4 or IPv6 address",
    "{text} does not appear to be an IPv4 or IPv6 network",
)

FOREIGN = (*CLICK, *SETTINGS, *TOML, *SYSTEM, *STORE, *RELAYS, *ADDRESSES)
