package source

const codeHostOnly = "W0801"
