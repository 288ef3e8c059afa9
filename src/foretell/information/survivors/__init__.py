"""Version space: how many models of a family N prompts leave within a tolerance of the target."""
