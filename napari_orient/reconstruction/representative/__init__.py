"""Could a field that was made be of the material of a map? One verdict, one page."""
