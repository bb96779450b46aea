package cli

//go:generate go run ./gendocs ../../docs/cli.md
