package playerstate

// SchemaHash is the SHA-256 of player_state.proto, in hex: what both sides of a Hello
// compare. A test holds it to the file.
const SchemaHash = "3dd69dfb77eab5bb70e418b595bf8cdb0e83f346994c9f5c3c0e3ac8f6f5374b"
