"""What every effect needs and no room owns: deadlines, locks, atomic files, redaction."""
