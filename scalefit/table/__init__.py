"""What a results table is: columns, units, checks, long and wide. pandas comes in and stops here."""
