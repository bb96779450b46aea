package abi

// ArchSection is the ELF section of an object that is for one kind of machine only,
// because its programs get that machine's registers to see. It is a string table, which
// loaders that don't know it pass over, with one entry, the machine as GOARCH has it:
//
//	\0arm64\0
//
// Objects without the section are for all machines of their byte order.
const ArchSection = ".waggle.arch"
