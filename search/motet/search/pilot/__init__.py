"""How far can a search rely on what it hears halfway? Measured for one model and one reward, made into settings."""
